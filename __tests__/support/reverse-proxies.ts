// nginx and haproxy in front of apps on loopback, with the files of examples/ as their configuration and a certificate by an authority of
// our own; and callers out there, to whom they are api.example.com.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { freePort } from './process.js'
import { describeWith, find, startService } from './services.js'

export const PROXIES = ['nginx', 'haproxy'] as const
export type ProxyName = (typeof PROXIES)[number]

/** What the world knows the proxy by. */
export const ORIGIN = 'https://api.example.com'

/** What is written in place of a line of the files. */
export type Change = readonly [written: string, instead: string]

/** What docs/deploying.md says to change. */
export const CHANGES = {
  /** Only what is under /api, and the documents of it. */
  prefix: {
    nginx: [['location / {', 'location ~ ^/(api|\\.well-known)/ {']],
    haproxy: [['default_backend mcp_app', 'use_backend mcp_app if { path_beg /api/ /.well-known/ }']],
  },
  /** The same, and the app does not see the prefix. */
  stripped: {
    nginx: [
      [
        'location / {',
        'location ~ ^/(api|\\.well-known)/ {\n        rewrite ^/api(?:/|$)(.*) /$1 break; # the app sees no prefix',
      ],
    ],
    haproxy: [
      ['default_backend mcp_app', 'use_backend mcp_app if { path_beg /api/ /.well-known/ }'],
      [
        '\nbackend mcp_app\n',
        '\nbackend mcp_app\n    http-request replace-path ^/api/(.*) /\\1 # the app sees no prefix\n',
      ],
    ],
  },
  /** The app sees whom it is asked by, behind what callers write before it. */
  appended: {
    nginx: [['$remote_addr; # instead of what the caller wrote there', '$proxy_add_x_forwarded_for;']],
    haproxy: [['    http-request del-header X-Forwarded-For\n', '']],
  },
} satisfies Record<string, Readonly<Record<ProxyName, readonly Change[]>>>

const programs = new Map(
  PROXIES.map((name) => [name, find(name, [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'])]),
)

/** Tests that need both. */
export const describeWithProxies = describeWith(
  'nginx or haproxy',
  [...programs.values()].includes(undefined) ? undefined : 'both',
)

/** One out there, at an address. */
export interface Caller {
  /** Follows no redirect. What is not the proxy's is asked as ever. */
  readonly fetch: typeof fetch
  /** Sends bytes as they are, and gives back all that comes until the line is closed. */
  raw(bytes: string): Promise<string>
  /** Asks by HTTP/2. */
  http2(path: string, headers?: Record<string, string>): Promise<Response>
}

export interface ReverseProxy {
  /** @param address of the caller, e.g. `127.0.0.2` */
  caller(address?: string): Caller
  stop(): Promise<void>
}

/** Starts one in front of apps, which take turns. */
export async function startReverseProxy(
  name: ProxyName,
  apps: readonly { readonly url: string }[],
  changes: readonly Change[] = [],
): Promise<ReverseProxy> {
  const directory = mkdtempSync(join(tmpdir(), `mcp-auth-${name}-`))
  const { ca, ...files } = makeCertificate(directory)
  const port = await freePort()
  const hosts = apps.map(({ url }) => new URL(url).host)
  const { config, args, ready, frame } = SETUPS[name](directory, port, hosts, files)
  const written = [...config, ...changes].reduce(change, readExample(name))
  const file = join(directory, 'proxy.conf')
  writeFileSync(file, frame(written))
  const service = await startService(directory, port, ORIGIN, {
    program: String(programs.get(name)),
    args: args(file),
    ready,
    end: 'SIGTERM',
  })
  return {
    caller: (address = '127.0.0.1') => callerAt({ port, ca, address }),
    stop: () => service.stop(),
  }
}

/** The file of examples/ as it is. */
export function readExample(name: ProxyName): string {
  const file = { nginx: 'nginx.conf', haproxy: 'haproxy.cfg' }[name]
  return readFileSync(new URL(`../../examples/${file}`, import.meta.url), 'utf8')
}

function change(config: string, [written, instead]: Change): string {
  if (!config.includes(written)) throw new Error(`the configuration has no ${JSON.stringify(written)}`)
  return config.replaceAll(written, instead)
}

interface Setup {
  /** Places and ports of this machine, which the files cannot know. */
  readonly config: readonly Change[]
  /** What stands around them. */
  frame(config: string): string
  args(file: string): readonly string[]
  /** What it prints when it listens. */
  readonly ready: RegExp
}

type Certificate = Omit<ReturnType<typeof makeCertificate>, 'ca'>

const SETUPS: Readonly<
  Record<ProxyName, (directory: string, port: number, hosts: readonly string[], files: Certificate) => Setup>
> = {
  nginx: (directory, port, hosts, { certificate, key }) => ({
    config: [
      ['listen 443', `listen 127.0.0.1:${port}`],
      ['/etc/ssl/api.example.com.pem', certificate],
      ['/etc/ssl/api.example.com.key', key],
      ['server 127.0.0.1:3000;', hosts.map((host) => `server ${host};`).join(' ')],
    ],
    frame: (config) => `
daemon off;
worker_processes 1;
pid ${directory}/pid;
error_log stderr notice;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${directory}/${what};`).join('\n')}
  ${config}
}`,
    args: (file) => ['-p', directory, '-e', 'stderr', '-c', file],
    ready: /start worker process /,
  }),
  haproxy: (_directory, port, hosts, { both }) => ({
    config: [
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['/etc/ssl/api.example.com.pem', both],
      [
        '    server app1 127.0.0.1:3000 check',
        hosts.map((host, index) => `    server app${index} ${host} check`).join('\n'),
      ],
    ],
    frame: (config) => `global\n  nbthread 1\n${config}`,
    args: (file) => ['-W', '-db', '-f', file],
    ready: /Loading success/,
  }),
}

/** For api.example.com, by an authority that nobody else knows. */
function makeCertificate(directory: string): {
  readonly ca: string
  readonly certificate: string
  readonly key: string
  /** Certificate and key, as haproxy wants them. */
  readonly both: string
} {
  const [ca, caKey, certificate, key, both] = [
    'ca.pem', 'ca.key', 'site.pem', 'site.key', 'both.pem',
  ].map((file) => join(directory, file)) as [string, string, string, string, string] // prettier-ignore
  const make = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ]
  const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: 'pipe' })
  openssl(...make, '-subj', '/CN=Authority of the tests', '-keyout', caKey, '-out', ca)
  const name = ['-subj', '/CN=api.example.com', '-addext', 'subjectAltName=DNS:api.example.com']
  const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE', '-CA', ca, '-CAkey', caKey]
  openssl(...make, ...name, ...leaf, '-keyout', key, '-out', certificate)
  writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))
  return { ca: readFileSync(ca, 'utf8'), certificate, key, both }
}

interface Line {
  readonly port: number
  readonly ca: string
  /** Of the caller. */
  readonly address: string
}

function callerAt(line: Line): Caller {
  const { port, ca, address: localAddress } = line
  const servername = new URL(ORIGIN).hostname
  return {
    fetch: async (input, init) => {
      const request = new Request(input, init)
      if (new URL(request.url).origin !== ORIGIN) return fetch(request)
      return ask(request, line)
    },
    async raw(bytes) {
      const socket = connectTls({ port, host: '127.0.0.1', ca, servername, localAddress } as never)
      socket.write(bytes, 'latin1')
      return text(socket)
    },
    async http2(path, headers = {}) {
      const session = connectHttp2(ORIGIN, {
        createConnection: () =>
          connectTls({
            port,
            host: '127.0.0.1',
            ca,
            servername,
            localAddress,
            ALPNProtocols: ['h2'],
          } as never),
      })
      try {
        const stream = session.request({ ':path': path, ...headers })
        const fields = await new Promise<Record<string, unknown>>((resolve, reject) => {
          stream.once('error', reject)
          stream.once('response', resolve)
        })
        const status = fields[':status']
        const answered = Object.entries(fields).filter(([name]) => !name.startsWith(':'))
        return new Response(await text(stream), {
          status: Number(status),
          headers: new Headers(answered as [string, string][]),
        })
      } finally {
        session.close()
      }
    },
  }
}

/** An agent is made for each request, so that every one is a connection of its own and can come from its own address. */
async function ask(request: Request, { port, ca, address }: Line): Promise<Response> {
  const url = new URL(request.url)
  const body = Buffer.from(await request.arrayBuffer())
  const headers = {
    host: url.host,
    ...Object.fromEntries(request.headers),
    ...(request.method !== 'GET' && { 'content-length': body.length }),
  }
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        ca,
        servername: url.hostname,
        localAddress: address,
        agent: false,
        method: request.method,
        path: url.pathname + url.search,
        headers,
        signal: request.signal,
      },
      resolve,
    )
    sent.once('error', reject)
    sent.end(body)
  })
  const answered = new Headers()
  for (let index = 0; index < incoming.rawHeaders.length; index += 2)
    answered.append(String(incoming.rawHeaders[index]), String(incoming.rawHeaders[index + 1]))
  const status = incoming.statusCode ?? 0
  const empty = [204, 304].includes(status) || request.method === 'HEAD'
  if (empty) incoming.resume()
  const stream = empty ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
  return new Response(stream, { status, headers: answered })
}
