// reader.js KIND ADDRESS TOKEN: one client of a kind, which prints a line whenever what it has is another.
import { FlagdCore } from '@openfeature/flagd-core'
import { OFREPProvider } from '@openfeature/ofrep-provider'
import { OpenFeature } from '@openfeature/server-sdk'
import apollo from 'ctrip-apollo'

const [kind, address, token] = process.argv.slice(2)
const every = 200 // milliseconds, for those that ask now and then

let last
const has = (value) => {
  if (value !== last) console.log((last = value))
}

const repeat = async (ask) => {
  await ask()
  setTimeout(() => repeat(ask), every)
}

const kinds = {
  // It is told by the long poll of notifications.
  async apollo() {
    const namespace = apollo({
      host: address.replace('://', `://sluice:${token}@`), appId: 'shop', cluster: 'Staging', enableUpdateNotification: true,
    }).cluster('Staging').namespace('application')
    namespace.on('updated', () => has(namespace.get('greeting')))
    await namespace.ready()
    has(namespace.get('greeting'))
  },

  async ofrep() {
    await OpenFeature.setProviderAndWait(new OFREPProvider({
      baseUrl: `${address}/flags/shop.staging`, headers: [['Authorization', `Bearer ${token}`]],
    }))
    const client = OpenFeature.getClient()
    await repeat(async () => {
      const { value, variant, reason } = await client.getStringDetails('greeting', 'none', { targetingKey: 'ann' })
      has(`${value} (${variant}, ${reason})`)
    })
  },

  // flagd's own evaluator, on what its HTTP sync asks for.
  async flagd() {
    const core = new FlagdCore()
    let tag
    await repeat(async () => {
      const headers = { Accept: 'application/json', Authorization: `Bearer ${token}` }
      if (tag) headers['If-None-Match'] = tag
      const answer = await fetch(`${address}/flags/shop.staging/flagd.json`, { headers })
      if (answer.status === 200) {
        tag = answer.headers.get('ETag')
        core.setConfigurations(await answer.text())
      } else if (answer.status !== 304) {
        throw new Error(`${answer.status} ${await answer.text()}`)
      }
      const { value, variant, reason } = core.resolveStringEvaluation('greeting', 'none', { targetingKey: 'ann' })
      has(`${value} (${variant}, ${reason})`)
    })
  },
}

await kinds[kind]()
