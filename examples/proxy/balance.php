<?php
// The balance, through `nomba-auth serve` or `nomba-auth exec -- php balance.php`.
$url = getenv('NOMBA_PROXY_URL') ?: 'http://127.0.0.1:4020';

$context = stream_context_create(['http' => [
    'header' => 'x-nomba-key: ' . getenv('NOMBA_PROXY_KEY'),
    'ignore_errors' => true, // Nomba's reason is in the body of a failure.
]]);
$answer = json_decode(file_get_contents("$url/v1/accounts/balance", false, $context), true);

if (($answer['code'] ?? null) !== '00') {
    fwrite(STDERR, ($answer['description'] ?? 'no answer') . "\n");
    exit(1);
}
echo $answer['data']['amount'], ' ', $answer['data']['currency'], "\n";
