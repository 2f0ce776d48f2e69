import { defineConfig } from "vitepress"

/** As GitHub does it, so that one link works in both. */
const slugify = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

const page = (text, link) => ({ text, link: `/docs/${link}` })

export default defineConfig({
  title: "nomba-auth",
  description: "Keeps one valid Nomba access token for your whole app. Unofficial",
  srcDir: "pages",
  cleanUrls: true,
  lastUpdated: false,
  markdown: {
    anchor: { slugify },
    // Text in braces is no template.
    config: ({ renderer: { rules } }) => {
      const { code_inline: code, text } = rules
      rules.code_inline = (...all) => code(...all).replace("<code", "<code v-pre")
      rules.text = (...all) => text(...all).replaceAll("{{", "&#123;&#123;")
    }
  },
  ignoreDeadLinks: [/\/openapi\.json$/, /\/grafana\.json$/, /\/protocol\.pml$/, /\/smoke\.mjs$/],
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Documentation", link: "/docs/" },
      { text: "API reference", link: "/reference/" },
      { text: "Changelog", link: "/CHANGELOG" }
    ],
    sidebar: {
      "/": [
        {
          text: "Start",
          items: [
            page("Find a page", ""),
            page("Getting started", "getting-started"),
            page("The Promise API", "promise"),
            page("Recipes", "recipes"),
            page("Configuration", "configuration"),
            page("The command line", "command-line"),
            page("The proxy", "proxy"),
            page("Migration", "migration"),
            page("Runtimes", "runtimes")
          ]
        },
        {
          text: "When something is wrong",
          items: [
            page("Troubleshooting", "troubleshooting"),
            page("Errors", "errors"),
            page("The doctor", "doctor"),
            page("Glossary", "glossary")
          ]
        },
        { text: "Testing", items: [page("Testing your service", "testing"), page("The sandbox", "sandbox")] },
        {
          text: "Production",
          items: [
            page("Going live", "going-live"),
            page("Token stores", "token-stores"),
            page("Running a fleet", "fleet"),
            page("Observability", "observability"),
            page("What a fleet survives", "fleet-faults"),
            { text: "Security", link: "/SECURITY" }
          ]
        },
        {
          text: "More",
          items: [
            page("Logging an end user in", "pkce"),
            page("Architecture", "architecture"),
            page("The protocol model", "protocol"),
            page("Simulations", "simulation"),
            page("The sandbox under load", "sandbox-load")
          ]
        }
      ],
      "/reference/": [
        {
          text: "API reference",
          items: [
            ["nomba-auth", "index"],
            ["nomba-auth/promise", "promise"],
            ["nomba-auth/promise/file", "promise/file"],
            ["nomba-auth/promise/redis", "promise/redis"],
            ["nomba-auth/file", "file"],
            ["nomba-auth/redis", "redis"],
            ["nomba-auth/node", "node"],
            ["nomba-auth/sandbox", "sandbox"],
            ["nomba-auth/testing", "testing"]
          ].map(([text, module]) => ({ text, link: `/reference/${module}/` }))
        }
      ]
    }
  }
})
