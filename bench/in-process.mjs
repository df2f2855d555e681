// Calls an Express app without a network: light request and response objects with what node's own have.

const socket = {
  encrypted: false,
  remoteAddress: '127.0.0.1',
  remotePort: 40000,
  writable: true,
  on() {},
  destroy() {},
}

// What node's `headersSent` and `writableEnded` look at are `_header` and `finished`.
const SENT = 'HTTP/1.1'

function setHeader(name, value) {
  this.fields ??= new Map()
  this.fields.set(name.toLowerCase(), value)
  return this
}

function appendHeader(name, value) {
  const held = this.getHeader(name)
  return this.setHeader(name, held === undefined ? value : [held, value].flat())
}

function getHeader(name) {
  return this.fields?.get(name.toLowerCase())
}

function getHeaderNames() {
  return [...(this.fields?.keys() ?? [])]
}

function getHeaders() {
  return Object.fromEntries(this.fields ?? [])
}

function hasHeader(name) {
  return this.fields?.has(name.toLowerCase()) ?? false
}

function removeHeader(name) {
  this.fields?.delete(name.toLowerCase())
}

function writeHead(status, reason, headers = reason) {
  this.statusCode = status
  this._header = SENT
  if (headers && typeof headers === 'object') for (const name in headers) this.setHeader(name, headers[name])
  return this
}

function flushHeaders() {
  this._header = SENT
}

function write() {
  return true
}

function end() {
  // node writes the headers through this method, which some guards replace in order to see them.
  if (this._header === null) this.writeHead(this.statusCode)
  this._header = SENT
  this.finished = true
  this.onEnd?.()
  return this
}

/**
 * Makes requests and responses for one app. Express gives every request its own prototype, which is slow enough on a
 * plain object to drown what we look for; made with that prototype from the start, it finds nothing to do.
 */
function lightObjects(app) {
  if (made.has(app)) return made.get(app)

  function Request(token) {
    const authorization = `Bearer ${token}`
    this.method = 'POST'
    this.url = '/mcp'
    this.httpVersion = '1.1'
    this.httpVersionMajor = 1
    this.httpVersionMinor = 1
    this.complete = true
    this.socket = socket
    this.headers = {
      host: 'api.example.com',
      authorization,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'content-length': '0',
      'mcp-protocol-version': '2025-11-25',
    }
    this.rawHeaders = [
      'Host',
      'api.example.com',
      'Authorization',
      authorization,
      'Accept',
      'application/json, text/event-stream',
      'Content-Type',
      'application/json',
      'Content-Length',
      '0',
      'MCP-Protocol-Version',
      '2025-11-25',
    ]
  }
  Request.prototype = app.request

  function Response() {
    this.statusCode = 200
    this.statusMessage = undefined
    this._header = null
    this.finished = false
    this.fields = null
    this.onEnd = null
    this.socket = socket
    this.setHeader = setHeader
    this.appendHeader = appendHeader
    this.getHeader = getHeader
    this.getHeaderNames = getHeaderNames
    this.getHeaders = getHeaders
    this.hasHeader = hasHeader
    this.removeHeader = removeHeader
    this.writeHead = writeHead
    this.flushHeaders = flushHeaders
    this.write = write
    this.end = end
  }
  Response.prototype = app.response

  const make = { request: (token) => new Request(token), response: () => new Response() }
  made.set(app, make)
  return make
}

const made = new WeakMap()

/** One call; resolves with the finished response. */
export async function call(app, token) {
  const make = lightObjects(app)
  const res = make.response()
  app(make.request(token), res)
  if (!res.writableEnded) await new Promise((resolve) => (res.onEnd = resolve))
  return res
}

/**
 * Calls the app once for each token, one after the other, and returns microseconds a call. An answer given in the same
 * tick is not awaited, so a guard pays for a promise only when it makes one.
 */
export async function round(app, tokens, expected, label) {
  const make = lightObjects(app)
  const start = process.hrtime.bigint()
  for (const token of tokens) {
    const res = make.response()
    app(make.request(token), res)
    if (!res.writableEnded) await new Promise((resolve) => (res.onEnd = resolve))
    if (!expected.includes(res.statusCode)) {
      throw new Error(`${label} answered ${res.statusCode} where ${expected.join(' or ')} was due`)
    }
  }
  return Number(process.hrtime.bigint() - start) / 1000 / tokens.length
}
