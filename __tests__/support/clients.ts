// The MCP clients that people use, as data: what they register, where they listen, what they ask for, and what is odd about each. Taken from
// public reports and their published documents; an example of each shape, not a list that the server knows.
import type { Json } from './issuer.js'

/** How a client comes to be known. */
export type Way = 'registration' | 'document' | 'configured secret' | 'configured public'

export interface McpClient {
  readonly name: string
  readonly ways: readonly Way[]
  /** The body of its registration request (RFC 7591). */
  readonly registration: Json
  /** Its document and where that lies (CIMD). */
  readonly document?: Json & { readonly client_id: string }
  /** What it sends with an authorization request, each of them in turn. */
  readonly redirectUris: readonly string[]
  /** `all` that are supported, `none`, or words of its own. Default: all. */
  readonly scope?: string
  /** What it makes of the resource that the metadata names. Default: left as it is. */
  readonly resource?: (resource: string) => string | undefined
  /** Default: true. */
  readonly sendsState?: boolean
  /** Whether it names its redirect URI again with the code. Default: true, as OAuth 2.0 has it. */
  readonly repeatsRedirectUri?: boolean
  /** Scopes with a refresh. Default: none. */
  readonly refreshScope?: string
  /** Runs in a browser, so that it reads only what CORS lets it. */
  readonly origin?: string
}

const PUBLIC = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

const slashed = (resource: string): string => `${resource}/`
const queried = (resource: string): string => `${resource}?utm_source=docs`
const omitted = (): undefined => undefined

/** Where the keys of ChatGPT lie. */
export const CHATGPT_KEYS = 'https://chatgpt.com/oauth/jwks.json'

export const MCP_CLIENTS: readonly McpClient[] = [
  {
    name: 'claude.ai',
    ways: ['registration', 'document', 'configured secret'],
    registration: {
      ...PUBLIC,
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
      scope: 'claudeai',
    },
    document: {
      ...PUBLIC,
      client_id: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
      client_name: 'Claude',
      client_uri: 'https://claude.ai',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
    },
    redirectUris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
    scope: 'claudeai',
  },
  {
    name: 'Claude Code',
    ways: ['registration', 'document', 'configured public'],
    registration: {
      ...PUBLIC,
      client_name: 'Claude Code (notes)',
      redirect_uris: ['http://localhost:54212/callback'],
    },
    document: {
      ...PUBLIC,
      client_id: 'https://claude.ai/oauth/claude-code-client-metadata',
      client_name: 'Claude Code',
      client_uri: 'https://claude.ai',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    },
    redirectUris: ['http://localhost:54212/callback', 'http://localhost:61007/callback'],
    resource: slashed,
  },
  {
    name: 'Claude Code without scopes',
    ways: ['registration'],
    registration: {
      ...PUBLIC,
      client_name: 'Claude Code (notes)',
      redirect_uris: ['http://localhost:3118/callback'],
    },
    redirectUris: ['http://localhost:3118/callback'],
    scope: 'none',
    resource: queried,
  },
  {
    name: 'ChatGPT',
    ways: ['registration', 'document', 'configured secret'],
    registration: {
      ...PUBLIC,
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector/oauth/a1B2c3D4'],
    },
    document: {
      ...PUBLIC,
      client_id: 'https://chatgpt.com/oauth/client.json',
      client_name: 'ChatGPT',
      client_uri: 'https://chatgpt.com',
      redirect_uris: [
        'https://chatgpt.com/connector_platform_oauth_redirect',
        'https://chatgpt.com/connector/oauth/a1B2c3D4',
      ],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: CHATGPT_KEYS,
    },
    redirectUris: ['https://chatgpt.com/connector/oauth/a1B2c3D4'],
  },
  {
    name: 'ChatGPT without keys',
    ways: ['document'],
    registration: {},
    document: {
      ...PUBLIC,
      client_id: 'https://chatgpt.com/connector/oauth/a1B2c3D4/client.json',
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector/oauth/a1B2c3D4'],
    },
    redirectUris: ['https://chatgpt.com/connector/oauth/a1B2c3D4'],
  },
  {
    name: 'Codex',
    ways: ['registration', 'document', 'configured public'],
    registration: {
      ...PUBLIC,
      client_name: 'Codex',
      redirect_uris: ['http://127.0.0.1:1455/callback/7Q2m'],
    },
    document: {
      ...PUBLIC,
      client_id: 'https://chatgpt.com/oauth/codex/7Q2m/client.json',
      client_name: 'Codex',
      redirect_uris: ['http://127.0.0.1/callback/7Q2m', 'http://localhost/callback/7Q2m'],
      application_type: 'native',
    },
    redirectUris: ['http://127.0.0.1:1455/callback/7Q2m', 'http://127.0.0.1:49301/callback/7Q2m'],
    scope: 'notes:read',
  },
  {
    name: 'Cursor',
    ways: ['registration', 'configured public', 'configured secret'],
    registration: {
      ...PUBLIC,
      client_name: 'Cursor',
      redirect_uris: [
        'http://localhost:8787/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'cursor://anysphere.cursor-mcp/oauth/callback',
      ],
    },
    redirectUris: [
      'http://localhost:8787/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'cursor://anysphere.cursor-mcp/oauth/callback',
    ],
    sendsState: false,
  },
  {
    name: 'Cursor of older versions',
    ways: ['registration'],
    registration: {
      ...PUBLIC,
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-retrieval/oauth/user-notes/callback',
        'cursor://anysphere.cursor-retrieval/oauth/callback',
      ],
    },
    redirectUris: ['cursor://anysphere.cursor-retrieval/oauth/callback'],
    resource: omitted,
  },
  {
    name: 'VS Code',
    ways: ['registration', 'document', 'configured public'],
    registration: {
      ...PUBLIC,
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: [
        'http://127.0.0.1:33418/',
        'http://127.0.0.1/',
        'https://vscode.dev/redirect',
        'https://insiders.vscode.dev/redirect',
      ],
      application_type: 'native',
    },
    document: {
      ...PUBLIC,
      client_id: 'https://vscode.dev/oauth/client-metadata.json',
      client_name: 'Visual Studio Code',
      client_uri: 'https://vscode.dev/product',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: [
        'http://127.0.0.1:33418/',
        'http://127.0.0.1/',
        'https://vscode.dev/redirect',
        'https://insiders.vscode.dev/redirect',
      ],
      application_type: 'native',
    },
    redirectUris: ['http://127.0.0.1:33418/', 'http://127.0.0.1:52731/', 'https://vscode.dev/redirect'],
  },
  {
    name: 'MCP Inspector',
    ways: ['registration', 'configured public', 'configured secret'],
    registration: {
      ...PUBLIC,
      client_name: 'MCP Inspector',
      client_uri: 'https://github.com/modelcontextprotocol/inspector',
      redirect_uris: ['http://localhost:6274/oauth/callback', 'http://localhost:6274/oauth/callback/debug'],
      scope: 'notes:read notes:write offline_access',
    },
    redirectUris: ['http://localhost:6274/oauth/callback', 'http://localhost:6274/oauth/callback/debug'],
    origin: 'http://localhost:6274',
  },
  {
    name: 'mcp-remote',
    ways: ['registration', 'configured secret'],
    registration: {
      ...PUBLIC,
      client_name: 'MCP CLI Proxy',
      client_uri: 'https://github.com/modelcontextprotocol/mcp-cli',
      redirect_uris: ['http://localhost:21842/oauth/callback'],
      software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
      software_version: '0.1.43',
    },
    redirectUris: ['http://localhost:21842/oauth/callback', 'http://localhost:3335/oauth/callback'],
    scope: 'openid email profile',
    resource: slashed,
  },
  {
    name: 'mcp-remote --disable-resource-parameter',
    ways: ['registration'],
    registration: {
      ...PUBLIC,
      client_name: 'MCP CLI Proxy',
      redirect_uris: ['http://localhost:3335/oauth/callback'],
    },
    redirectUris: ['http://localhost:3335/oauth/callback'],
    resource: omitted,
  },
  {
    name: 'Goose',
    ways: ['registration', 'document'],
    registration: {
      ...PUBLIC,
      client_name: 'goose',
      redirect_uris: ['http://127.0.0.1:49152/oauth_callback'],
    },
    document: {
      ...PUBLIC,
      client_id: 'https://goose-docs.ai/oauth/client-metadata.json',
      client_name: 'goose',
      redirect_uris: ['http://127.0.0.1/oauth_callback', 'http://localhost/oauth_callback'],
    },
    redirectUris: ['http://127.0.0.1:49152/oauth_callback', 'http://127.0.0.1:60999/oauth_callback'],
  },
  {
    name: 'opencode',
    ways: ['registration', 'configured public'],
    registration: {
      ...PUBLIC,
      client_name: 'OpenCode',
      client_uri: 'https://opencode.ai',
      redirect_uris: ['http://127.0.0.1:19876/mcp/oauth/callback'],
    },
    document: {
      ...PUBLIC,
      client_id: 'https://opencode.ai/oauth/opencode/client.json',
      client_name: 'OpenCode',
      redirect_uris: ['http://127.0.0.1/callback'],
    },
    redirectUris: ['http://127.0.0.1:19876/mcp/oauth/callback'],
    scope: 'none',
    repeatsRedirectUri: false,
  },
  {
    name: 'Gemini CLI',
    ways: ['registration', 'configured public', 'configured secret'],
    registration: {
      ...PUBLIC,
      client_name: 'Gemini CLI MCP Client',
      redirect_uris: ['http://localhost:7777/oauth/callback'],
      scope: 'notes:read notes:write',
      code_challenge_method: ['S256'],
    },
    redirectUris: ['http://localhost:7777/oauth/callback', 'http://localhost:50519/oauth/callback'],
    refreshScope: 'notes:read',
  },
  {
    name: 'Zed',
    ways: ['registration', 'document'],
    registration: {
      ...PUBLIC,
      client_name: 'Zed',
      redirect_uris: ['http://127.0.0.1:43117/callback'],
    },
    document: {
      ...PUBLIC,
      client_id: 'https://zed.dev/oauth/client-metadata.json',
      client_name: 'Zed',
      client_uri: 'https://zed.dev',
      redirect_uris: ['http://127.0.0.1/callback'],
      application_type: 'native',
    },
    redirectUris: ['http://127.0.0.1:43117/callback'],
  },
  {
    name: 'Antigravity',
    ways: ['registration'],
    registration: {
      ...PUBLIC,
      client_name: 'Antigravity',
      redirect_uris: ['https://antigravity.google/oauth-callback'],
    },
    redirectUris: ['https://antigravity.google/oauth-callback'],
  },
  {
    name: 'Le Chat',
    ways: ['registration', 'configured secret'],
    registration: {
      client_name: 'Mistral AI',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: ['https://callback.mistral.ai/v1/integrations_auth/oauth2_callback'],
    },
    redirectUris: ['https://callback.mistral.ai/v1/integrations_auth/oauth2_callback'],
  },
  {
    name: 'Grok',
    ways: ['registration'],
    registration: {
      ...PUBLIC,
      client_name: 'Grok',
      redirect_uris: ['https://grok.com/connectors-oauth-exchange-code/'],
    },
    redirectUris: ['https://grok.com/connectors-oauth-exchange-code/'],
  },
  {
    name: 'Perplexity',
    ways: ['registration', 'configured secret'],
    // No method is named: RFC 7591 2 makes that client_secret_basic.
    registration: {
      client_name: 'Perplexity',
      redirect_uris: ['https://www.perplexity.ai/rest/connections/oauth_callback'],
    },
    redirectUris: ['https://www.perplexity.ai/rest/connections/oauth_callback'],
  },
  {
    name: 'Devin',
    ways: ['registration', 'configured secret'],
    registration: {
      client_name: 'Devin',
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: ['https://api.devin.ai/mcp/oauth/callback'],
    },
    redirectUris: ['https://api.devin.ai/mcp/oauth/callback'],
  },
]

/** One of them. */
export function mcpClient(name: string): McpClient {
  const found = MCP_CLIENTS.find((client) => client.name === name)
  if (found === undefined) throw new Error(`no client is called ${name}`)
  return found
}
