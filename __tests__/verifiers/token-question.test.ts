import { describe, expect, it } from '@jest/globals'
import { type TokenQuestion, requestOf } from '../../lib/verifiers/token-question.js'

const app = { clientId: 'the app', clientSecret: 's:1' }
const url = 'https://example.com/me?v=2'
const BASIC = `Basic ${Buffer.from('the+app:s%3A1').toString('base64')}`

describe('requestOf', () => {
  it.each<[rule: string, question: TokenQuestion, request: object]>([
    [
      'a header, if nothing else is said',
      { url },
      { url, method: 'GET', headers: { authorization: 'Bearer a+b' } },
    ],
    [
      'a header beside others, by another method',
      { url, method: 'POST', tokenIn: 'bearer', headers: { 'user-agent': 'us' } },
      { url, method: 'POST', headers: { 'user-agent': 'us', authorization: 'Bearer a+b' } },
    ],
    [
      'the query, beside what is there',
      { url, tokenIn: 'query' },
      { url: `${url}&access_token=a%2Bb`, method: 'GET', headers: {} },
    ],
    [
      'the query, under another name and with the app in a header',
      { url, tokenIn: 'query', parameter: 'input_token', clientAuth: 'client_secret_basic' },
      { url: `${url}&input_token=a%2Bb`, method: 'GET', headers: { authorization: BASIC } },
    ],
    [
      'a form, with the app in it',
      { url, tokenIn: 'form', clientAuth: 'client_secret_post' },
      {
        url,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'token=a%2Bb&client_id=the+app&client_secret=s%3A1',
      },
    ],
    [
      'JSON, with the app in a header',
      {
        url,
        tokenIn: 'json',
        clientAuth: 'client_secret_basic',
        headers: { accept: 'application/vnd.x+json' },
      },
      {
        url,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/vnd.x+json',
          authorization: BASIC,
        },
        body: '{"access_token":"a+b"}',
      },
    ],
  ])('carries a token in %s', (_rule, question, request) => {
    expect(requestOf(question, 'a+b', app)).toEqual(request)
  })

  it('FM 8.1.6 names a public client, and sends no secret that it has not', () => {
    const question: TokenQuestion = { url, tokenIn: 'form', clientAuth: 'client_secret_post' }
    expect(requestOf(question, 'token', { clientId: 'public' })).toMatchObject({
      body: 'token=token&client_id=public',
    })
  })
})
