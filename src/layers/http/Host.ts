/**
 * How errors and warnings name the host that a client talks to.
 */
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as BaseUrl from "../config/BaseUrl.js"

/** The members of `Unavailable` that say what failed. */
export interface Host {
  /** `api.nomba.com`, with the port if there is one. */
  readonly target: string
  /** The variable or option that it comes from: `NOMBA_ENVIRONMENT=production`, `options.baseUrl`. */
  readonly setting?: string
}

export const of = ({ baseUrl, origins }: Pick<NombaConfigService, "baseUrl" | "origins">): Host => {
  const target = new URL(baseUrl).host
  const setting = /(?:^|\s)(NOMBA_[A-Z_]+|options\.\w+)(?:=\w+)?$/.exec(origins.environment)?.[1]
  if (setting === undefined) return { target }
  const environment = Object.entries(BaseUrl.hosts).find(([, url]) => url === baseUrl)?.[0]
  return { target, setting: /environment$/i.test(setting) && environment ? `${setting}=${environment}` : setting }
}

/** Whether it is one of Nomba's own hosts, and not a sandbox or a proxy. */
export const isNomba = (baseUrl: string): boolean => /(?:^|\.)nomba\.com$/.test(new URL(baseUrl).hostname)
