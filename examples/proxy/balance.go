// The balance, through `nomba-auth serve` or `nomba-auth exec -- go run balance.go`.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	url := os.Getenv("NOMBA_PROXY_URL")
	if url == "" {
		url = "http://127.0.0.1:4020"
	}
	request, err := http.NewRequest("GET", url+"/v1/accounts/balance", nil)
	if err != nil {
		fail(err.Error())
	}
	request.Header.Set("x-nomba-key", os.Getenv("NOMBA_PROXY_KEY"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fail(err.Error())
	}
	defer response.Body.Close()

	var answer struct {
		Code        string
		Description string
		Data        struct{ Amount, Currency string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		fail(err.Error())
	}
	if answer.Code != "00" {
		fail(answer.Description)
	}
	fmt.Println(answer.Data.Amount, answer.Data.Currency)
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
