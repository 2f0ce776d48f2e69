/** As much of some packages as the examples of the pages use. */
declare module "express" {
  interface Response {
    json(body: unknown): Response
    status(code: number): Response
  }
  type Handler = (request: object, response: Response) => void | Promise<void>
  interface Application {
    get(path: string, handler: Handler): void
    listen(port: number): { close(): void }
  }
  export default function express(): Application
}

declare module "@nestjs/common" {
  export interface OnApplicationShutdown {
    onApplicationShutdown(): Promise<void>
  }
  export function Inject(token: symbol): ParameterDecorator
  export function Injectable(): ClassDecorator
  export function Module(metadata: {
    providers?: ReadonlyArray<object>
    exports?: ReadonlyArray<object>
  }): ClassDecorator
}

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

declare module "cloudflare:workers" {
  export const env: {
    readonly NOMBA_CLIENT_ID: string
    readonly NOMBA_CLIENT_SECRET: string
    readonly NOMBA_ACCOUNT_ID: string
  }
  export const waitUntil: (promise: Promise<unknown>) => void
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
