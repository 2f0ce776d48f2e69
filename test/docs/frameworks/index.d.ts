/** As much of some packages as the examples of the pages use. */
declare module "zod" {
  interface Type<Output> {
    readonly "~standard": {
      readonly version: 1
      readonly vendor: "zod"
      readonly validate: (
        value: unknown
      ) =>
        | { readonly value: Output; readonly issues?: undefined }
        | { readonly issues: ReadonlyArray<{ readonly message: string }> }
    }
  }
  export const z: {
    string(): Type<string>
    number(): Type<number>
    array<Item>(item: Type<Item>): Type<Array<Item>>
    object<Shape extends Record<string, Type<unknown>>>(
      shape: Shape
    ): Type<{ [Key in keyof Shape]: Shape[Key] extends Type<infer Output> ? Output : never }>
  }
}

declare module "axios" {
  interface Axios {
    get(url: string): Promise<{ readonly status: number; readonly data: unknown }>
  }
  const axios: {
    create(config: {
      readonly adapter?: "fetch"
      readonly baseURL?: string
      readonly env?: { readonly fetch?: typeof fetch }
    }): Axios
  }
  export default axios
}
