import { describe, expect, it } from '@jest/globals'
import { describeRedirect, matchesRedirectUri, refuseRedirectUri } from '../../lib/protocol/redirect-uri.js'

describe('refuseRedirectUri', () => {
  it.each([
    // RFC 6749 4.1.1, RFC 8252 7.1 and 7.3
    'https://client.example.com/cb',
    'com.example.app:/oauth2redirect/example-provider',
    'http://127.0.0.1:51004/oauth2redirect/example-provider',
    'http://[::1]:61023/oauth2redirect/example-provider',
    // What clients of MCP register
    'https://claude.ai/api/mcp/auth_callback',
    'http://localhost:33418/callback',
    'https://chatgpt.com/connector/oauth/abc-123_x',
    'http://127.0.0.1:1455/callback/abc',
    'http://localhost:8787/callback',
    'https://www.cursor.com/agents/mcp/oauth/callback',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'cursor://anysphere.cursor-retrieval/oauth/callback',
    'http://127.0.0.1:33418/',
    'http://127.0.0.1/',
    'https://vscode.dev/redirect',
    'https://insiders.vscode.dev/redirect',
    'vscode://publisher.extension/callback',
    'vscode-insiders://publisher.extension/oauth/callback',
    'claude://claude.ai/settings/connectors',
    'http://localhost:6274/oauth/callback/debug',
    'https://grok.com/connectors-oauth-exchange-code/',
    // What is odd, but means one thing
    'http://localhost',
    'https://client.example.com',
    'https://client.example.com:8443/cb?tenant=a%20b',
    'https://[2001:db8::1]/cb',
    'https://xn--bcher-kva.example/cb',
    'https://client.example.com/@user',
    'com.example.app://callback',
    'com.googleusercontent.apps.123-abc:/oauth2redirect',
  ])('takes %s', (uri) => {
    expect(refuseRedirectUri(uri)).toBeUndefined()
  })

  const SCHEME = 'of a scheme that is neither https nor the reverse of a domain name'
  const LETTERS = 'not written in the letters of a URI'
  const FORM = 'not in the form https://host/path'
  const HTTP = 'http, which only localhost, 127.0.0.1 and [::1] may use'

  it.each([
    ['javascript:alert(1)', SCHEME],
    ['JaVaScRiPt:alert(1)', SCHEME],
    ['javascript://client.example.com/%0aalert(1)', SCHEME],
    [' javascript:alert(1)', LETTERS],
    ['java\tscript:alert(1)', LETTERS],
    ['java\nscript:alert(1)', LETTERS],
    ['\u0001javascript:alert(1)', LETTERS],
    ['javascript&colon;alert(1)', 'not absolute'],
    ['data:text/html,x', SCHEME],
    ['DATA:text/html;base64,PHNjcmlwdD4=', SCHEME],
    ['vbscript:msgbox(1)', SCHEME],
    ['VBScript:/x', SCHEME],
    ['file:///etc/passwd', SCHEME],
    ['blob:https://client.example.com/1', SCHEME],
    ['about:blank', SCHEME],
    ['view-source:https://client.example.com/', SCHEME],
    ['filesystem:https://client.example.com/', SCHEME],
    ['ftp://client.example.com/', SCHEME],
    ['ws://localhost/', SCHEME],
    ['intent://x/#Intent;end', 'with a fragment'],
    ['feed:javascript:alert(1)', SCHEME],
    ['myapp://callback', SCHEME],
    ['com.example.app:callback', SCHEME],
    ['.com:/cb', 'not absolute'],
    ['cursor://evil.extension/oauth/callback', SCHEME],
    ['cursor://anysphere.cursor-mcp/oauth/callback/x', SCHEME],
    ['cursor://anysphere.cursor-mcp/oauth/callback?x=y', SCHEME],
    ['vscode://file/etc/passwd', SCHEME],
    ['claude://evil.example/x', SCHEME],
  ])('A4 refuses %j', (uri, why) => {
    expect(refuseRedirectUri(uri)).toBe(why)
  })

  it.each([
    ['', LETTERS],
    ['/cb', 'not absolute'],
    ['//client.example.com/cb', 'not absolute'],
    ['client.example.com/cb', 'not absolute'],
    ['https:client.example.com/cb', FORM],
    ['https:/client.example.com/cb', FORM],
    ['https:///client.example.com/cb', FORM],
    ['https://', 'not a URL'],
    ['HTTPS://client.example.com/cb', FORM],
    ['https://client.example.com/cb#', 'with a fragment'],
    ['https://client.example.com/cb#x', 'with a fragment'],
    ['https://user@client.example.com/cb', 'with a user name or password'],
    ['https://user:pass@client.example.com/cb', 'with a user name or password'],
    ['https://client.example.com:443@evil.example/cb', 'with a user name or password'],
    ['com.example.app://user@callback', 'with a user name or password'],
    ['https://client.example.com\\@evil.example/cb', LETTERS],
    ['https://client.example.com/\tcb', LETTERS],
    ['https://client.example.com/c b', LETTERS],
    ['https://client.example.com/cb\r\nX: y', LETTERS],
    ['https://client.example.com/<cb>', LETTERS],
    ['https://client.example.com/"', LETTERS],
    ['https://client.example.com/%', LETTERS],
    ['https://client.example.com/%zz', LETTERS],
    ['https://bücher.example/cb', LETTERS],
    ['https://client。example/cb', LETTERS],
    ['https://client%2eexample.com/cb', FORM],
    ['https://client.example.com:99999/cb', 'not a URL'],
    ['https://1.2.3.4.5/cb', 'not a URL'],
    ['http://client.example.com/cb', HTTP],
    ['http://localhost.evil.example/cb', HTTP],
    ['http://localhost./cb', HTTP],
    ['http://LOCALHOST/cb', HTTP],
    ['http://127.0.0.2/cb', HTTP],
    ['http://127.1/cb', HTTP],
    ['http://0x7f.1/cb', HTTP],
    ['http://0.0.0.0:5555/cb', HTTP],
    ['http://[::]/cb', HTTP],
    ['http://[::ffff:127.0.0.1]/cb', HTTP],
    ['http://10.0.0.1/cb', HTTP],
    [`https://client.example.com/${'a'.repeat(2000)}`, 'longer than 2000 letters'],
  ])('A2 refuses %j', (uri, why) => {
    expect(refuseRedirectUri(uri)).toBe(why)
  })
})

describe('matchesRedirectUri', () => {
  const REGISTERED = 'https://client.example.com/cb?a=b'

  it.each([REGISTERED, 'com.example.app:/cb', 'http://localhost:3000/cb'])(
    'takes %s letter by letter',
    (uri) => {
      expect(matchesRedirectUri(uri, uri)).toBe(true)
    },
  )

  it.each([
    '',
    'https://client.example.com/cb',
    'https://client.example.com/cb?a=b&c=d',
    'https://client.example.com/cb?a=b#',
    'https://client.example.com/cb/?a=b',
    'https://client.example.com/CB?a=b',
    'https://client.example.com/x/../cb?a=b',
    'https://client.example.com/x/%2e%2e/cb?a=b',
    'https://client.example.com//cb?a=b',
    'https://client.example.com/./cb?a=b',
    'https://client.example.com/%63b?a=b',
    'https://client.example.com:443/cb?a=b',
    'https://client.example.com:8443/cb?a=b',
    'https://CLIENT.example.com/cb?a=b',
    'https://client.example.com./cb?a=b',
    'https://user@client.example.com/cb?a=b',
    'https://client.example.com@evil.example/cb?a=b',
    'https://client.example.com\\@evil.example/cb?a=b',
    'https://evil.example\\client.example.com/cb?a=b',
    'https://client.example.com.evil.example/cb?a=b',
    'https://evil.example/https://client.example.com/cb?a=b',
    'https:client.example.com/cb?a=b',
    'https:/client.example.com/cb?a=b',
    'HTTPS://client.example.com/cb?a=b',
    'http://client.example.com/cb?a=b',
    '//client.example.com/cb?a=b',
    ' https://client.example.com/cb?a=b',
    'https://client.example.com/cb?a=b ',
    'https://client.example.com/c\tb?a=b',
    'https://client.example.com/cb?a=b\n',
    'https://ｃlient.example.com/cb?a=b',
    'https://client。example.com/cb?a=b',
  ])('A2 does not take %j for another', (uri) => {
    expect(matchesRedirectUri(REGISTERED, uri)).toBe(false)
  })

  it.each([
    ['http://localhost:3000/cb', 'http://localhost:5555/cb'],
    ['http://localhost/cb', 'http://localhost:5555/cb'],
    ['http://localhost:3000/cb', 'http://localhost/cb'],
    ['http://127.0.0.1/cb?a=b', 'http://127.0.0.1:65535/cb?a=b'],
    ['http://[::1]:1/', 'http://[::1]:2/'],
    ['http://localhost:3000', 'http://localhost:3001'],
  ])('A3 lets an app choose its port: %s, %s', (registered, requested) => {
    expect(matchesRedirectUri(registered, requested)).toBe(true)
  })

  it.each([
    ['http://localhost:3000/cb', 'http://127.0.0.1:3000/cb'],
    ['http://127.0.0.1:3000/cb', 'http://localhost:3000/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.2/cb'],
    ['http://127.0.0.1/cb', 'http://127.1/cb'],
    ['http://127.0.0.1/cb', 'http://[::1]/cb'],
    ['http://[::1]/cb', 'http://[0:0:0:0:0:0:0:1]/cb'],
    ['http://localhost/cb', 'http://0.0.0.0/cb'],
    ['http://0.0.0.0/cb', 'http://0.0.0.0:5555/cb'],
    ['http://localhost/cb', 'http://LOCALHOST:5555/cb'],
    ['http://localhost/cb', 'http://localhost.:5555/cb'],
    ['http://localhost/cb', 'http://localhost.evil.example/cb'],
    ['http://localhost/cb', 'http://localhost:5555@evil.example/cb'],
    ['http://localhost/cb', 'http://user@localhost:5555/cb'],
    ['http://localhost/cb', 'http://localhost:5555\\@evil.example/cb'],
    ['http://localhost/cb', 'https://localhost:5555/cb'],
    ['https://localhost/cb', 'https://localhost:5555/cb'],
    ['http://localhost/cb', 'http://localhost:/cb'],
    ['http://localhost/cb', 'http://localhost:0/cb'],
    ['http://localhost/cb', 'http://localhost:080/cb'],
    ['http://localhost/cb', 'http://localhost:65536/cb'],
    ['http://localhost/cb', 'http://localhost:5555/'],
    ['http://localhost/cb', 'http://localhost:5555/cb/'],
    ['http://localhost/cb', 'http://localhost:5555/cb?x'],
    ['http://localhost/cb', 'http://localhost:5555/cb#x'],
    ['http://localhost/cb', 'http://localhost:5555/cb\n'],
    ['http://localhost', 'http://localhost:5555/'],
    ['com.example.app:/cb', 'com.example.app:1/cb'],
    ['https://client.example.com/cb', 'https://client.example.com:5555/cb'],
  ])('A3 lets nothing but the port differ: %s is not %j', (registered, requested) => {
    expect(matchesRedirectUri(registered, requested)).toBe(false)
  })
})

describe('describeRedirect', () => {
  it.each([
    ['https://client.example.com/cb', 'client.example.com', 'web'],
    ['https://client.example.com:8443/cb', 'client.example.com:8443', 'web'],
    ['https://CLIENT.example.com:443/cb', 'client.example.com', 'web'],
    ['https://xn--80ak6aa92e.example/cb', 'xn--80ak6aa92e.example', 'web'],
    ['https://аpple.example/cb', 'xn--pple-43d.example', 'web'],
    ['https://google.com.evil.example/cb', 'google.com.evil.example', 'web'],
    ['http://localhost:3000/cb', 'localhost:3000', 'loopback'],
    ['http://127.0.0.1/cb', '127.0.0.1', 'loopback'],
    ['http://[::1]:3000/cb', '[::1]:3000', 'loopback'],
    ['https://localhost/cb', 'localhost', 'loopback'],
    ['https://0x7f.1/cb', '127.0.0.1', 'loopback'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'cursor://anysphere.cursor-mcp', 'app'],
    ['com.example.app:/cb', 'com.example.app:', 'app'],
    ['com.example.app://evil.example/cb', 'com.example.app://evil.example', 'app'],
    ['vscode://publisher.extension/cb', 'vscode://publisher.extension', 'app'],
  ])('U8 shows where %s leads', (uri, host, kind) => {
    expect(describeRedirect(uri)).toEqual({ host, kind })
  })
})
