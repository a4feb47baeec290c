// Cruddur's first four routes on fastify and pg, in a cluster of two processes.
import cluster from 'node:cluster'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import pg from 'pg'

const { CONNECTION_URL_FILE, CONNECTIONS, PROCESSES, SOCKET, STATEMENTS } = process.env
const JSON_TYPE = 114
const TTLS = new Map([
  ['30-days', '30 days'], ['7-days', '7 days'], ['3-days', '3 days'], ['1-day', '1 day'],
  ['12-hours', '12 hours'], ['3-hours', '3 hours'], ['1-hour', '1 hour']
])

const load = name => ({ name, text: readFileSync(`${STATEMENTS}/${name}.sql`, 'utf8') })

const pageOptions = {
  schema: {
    querystring: {
      type: 'object',
      properties: { limit: { type: 'integer', minimum: 1, maximum: 200, default: 50 }, cursor: { type: 'string' } }
    }
  }
}
const showOptions = {
  schema: { params: { type: 'object', properties: { uuid: { type: 'string', format: 'uuid' } } } }
}
const createOptions = {
  schema: {
    body: {
      type: 'object',
      required: ['message', 'ttl', 'user_handle'],
      properties: {
        message: { type: 'string', minLength: 1, maxLength: 280 },
        ttl: { enum: [...TTLS.keys()] },
        user_handle: { type: 'string', minLength: 1 }
      }
    }
  }
}

async function serve () {
  pg.types.setTypeParser(JSON_TYPE, text => text) // it goes out as it came
  const pool = new pg.Pool({ connectionString: readFileSync(CONNECTION_URL_FILE, 'utf8').trim(), max: Number(CONNECTIONS) })
  const HOME = load('home')
  const SHOW = load('show')
  const CREATE = load('create')
  const query = async (statement, values) => (await pool.query({ ...statement, values })).rows[0]
  const passThrough = (reply, text) => reply.type('application/json').send(text)

  const app = Fastify({ keepAliveTimeout: 75000 })

  app.get('/api/health-check', async () => ({ success: true, ver: 1 }))

  app.get('/api/activities/home', pageOptions, async (request, reply) => {
    const { limit, cursor } = request.query
    const [createdUs, uuid] = cursor?.split('/') ?? [null, null]
    const row = await query(HOME, [limit, createdUs, uuid])
    if (row.next_key) reply.header('Link', `</api/activities/home?limit=${limit}&cursor=${row.next_key}>; rel="next"`)
    return passThrough(reply, row.body)
  })

  app.get('/api/activities/:uuid', showOptions, async (request, reply) => {
    const row = await query(SHOW, [request.params.uuid, null, null, null])
    return row ? passThrough(reply, row.body) : reply.code(404).send(['not_found'])
  })

  app.post('/api/activities', createOptions, async (request, reply) => {
    const { message, ttl, user_handle: handle } = request.body
    const row = await query(CREATE, [randomUUID(), null, handle, message, TTLS.get(ttl)])
    return row.outcome === 'ok' ? passThrough(reply, row.body) : reply.code(422).send([row.outcome])
  })

  await app.listen({ path: SOCKET })
}

if (cluster.isPrimary) {
  for (let i = 0; i < Number(PROCESSES); i++) cluster.fork()
  cluster.on('exit', () => process.exit(1))
  process.on('SIGTERM', () => process.exit(0))
} else {
  await serve()
}
