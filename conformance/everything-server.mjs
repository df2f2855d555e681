// An MCP server that offers one of everything the conformance suite asks for, in both protocol generations:
// 2025-11-25 with sessions, 2026-07-28 without. It knows nothing of authorization; a guard is put in front by the caller.
import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import {
  NodeStreamableHTTPServerTransport,
  localhostHostValidation,
  localhostOriginValidation,
  toNodeHandler,
  toWebRequest,
} from '@modelcontextprotocol/node'
import {
  CLIENT_CAPABILITIES_META_KEY,
  McpServer,
  ResourceTemplate,
  acceptedContent,
  completable,
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  isInitializeRequest,
  isLegacyRequest,
} from '@modelcontextprotocol/server'
import express from 'express'
import { z } from 'zod'

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=='
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA='

const image = { type: 'image', data: PNG, mimeType: 'image/png' }
const text = (value) => ({ type: 'text', text: value })
const says = (...content) => ({
  content: content.map((part) => (typeof part === 'string' ? text(part) : part)),
})
const user = (content) => ({ role: 'user', content })
const asks = (inputRequests, requestState) =>
  inputRequired({ inputRequests, ...(requestState !== undefined && { requestState }) })

/** A form with one required field, as the suite's elicitation scenarios have it. */
function form(message, name, type = 'string') {
  const requestedSchema = { type: 'object', properties: { [name]: { type } }, required: [name] }
  return inputRequired.elicit({ message, requestedSchema })
}

function prompt(question, maxTokens = 100) {
  return inputRequired.createMessage({ messages: [user(text(question))], maxTokens })
}

// What a server remembers between the rounds of one request travels through the client, signed.
const state = createRequestStateCodec({ key: randomBytes(32) })

/** An Express app that serves the everything server at /mcp, behind `guard` where one is given. */
export function everythingApp(guard) {
  const app = express()
  if (guard) app.use(guard)

  const isLocalHost = localhostHostValidation()
  const isLocalOrigin = localhostOriginValidation()
  app.use('/mcp', (req, res, next) => {
    if (isLocalHost(req, res) && isLocalOrigin(req, res)) next()
  })
  app.use('/mcp', express.json())

  const modern = createMcpHandler(() => createServer(() => modern.notify), { legacy: 'reject' })
  const serveModern = toNodeHandler(modern)
  const serveLegacy = legacyHandler()
  app.all('/mcp', async (req, res) => {
    const legacy = await isLegacyRequest(await toWebRequest(req, req.body))
    await (legacy ? serveLegacy : serveModern)(req, res, req.body)
  })
  return app
}

/** The 2025 way: a transport and a server for every session. */
function legacyHandler() {
  const sessions = new Map()
  return async (req, res, body) => {
    const id = req.headers['mcp-session-id']
    let transport = sessions.get(id)
    if (!transport) {
      if (!isInitializeRequest(body)) {
        const error = { code: -32000, message: id ? 'Session not found' : 'Not initialized' }
        res.status(id ? 404 : 400).json({ jsonrpc: '2.0', id: null, error })
        return
      }
      transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (created) => sessions.set(created, transport),
        onsessionclosed: (closed) => sessions.delete(closed),
      })
      await createServer(() => undefined).connect(transport)
    }
    await transport.handleRequest(req, res, body)
  }
}

/** @param notifier gives the channel for list changes, which only the 2026 generation has outside of sessions */
function createServer(notifier) {
  const server = new McpServer(
    { name: 'everything', version: '1.0.0' },
    {
      capabilities: { logging: {}, resources: { subscribe: true } },
      requestState: { verify: state.verify },
    },
  )
  addTools(server, notifier)
  addInteractiveTools(server)
  addResources(server)
  addPrompts(server)
  return server
}

function addTools(server, notifier) {
  const tool = (name, description, run, inputSchema) => {
    if (inputSchema) server.registerTool(name, { description, inputSchema }, run)
    else server.registerTool(name, { description }, run)
  }

  tool('test_simple_text', 'Returns text', () => says('This is a simple text response for testing.'))
  tool('test_image_content', 'Returns an image', () => says(image))
  tool('test_audio_content', 'Returns a sound', () =>
    says({ type: 'audio', data: WAV, mimeType: 'audio/wav' }),
  )
  tool('test_embedded_resource', 'Returns a resource', () =>
    says({
      type: 'resource',
      resource: {
        uri: 'test://embedded-resource',
        mimeType: 'text/plain',
        text: 'This is an embedded resource content.',
      },
    }),
  )
  tool('test_multiple_content_types', 'Returns text, an image and a resource', () =>
    says('Multiple content types test:', image, {
      type: 'resource',
      resource: {
        uri: 'test://mixed-content-resource',
        mimeType: 'application/json',
        text: '{"test":"data","value":123}',
      },
    }),
  )
  tool('test_error_handling', 'Always fails', () => {
    throw new Error('This tool intentionally returns an error for testing')
  })
  tool('test_tool_with_logging', 'Logs while it works', async (ctx) => {
    await ctx.mcpReq.log('info', 'Tool execution started')
    await pause(50)
    await ctx.mcpReq.log('info', 'Tool processing data')
    await pause(50)
    await ctx.mcpReq.log('info', 'Tool execution completed')
    return says('Logged three messages')
  })
  tool('test_logging_tool', 'Logs once', async (ctx) => {
    await ctx.mcpReq.log('info', 'Heard only by clients that asked for a log level')
    return says('Logged one message')
  })
  tool('test_tool_with_progress', 'Reports progress', async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken
    for (const progress of [0, 50, 100]) {
      if (progress > 0) await pause(50)
      if (progressToken === undefined) continue
      await ctx.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken, progress, total: 100 },
      })
    }
    return says('Done')
  })
  tool('test_trigger_tool_change', 'Announces that the list of tools changed', () => {
    notifier()?.toolsChanged()
    return says('Announced')
  })
  tool('test_trigger_prompt_change', 'Announces that the list of prompts changed', () => {
    notifier()?.promptsChanged()
    return says('Announced')
  })
}

/** Tools that need something of the client. Written as rounds; for 2025 clients the SDK turns a round into requests. */
function addInteractiveTools(server) {
  const tool = (name, run, inputSchema) => {
    const description = `Asks the client: ${name.slice('test_'.length).replaceAll('_', ' ')}`
    if (inputSchema) server.registerTool(name, { description, inputSchema }, run)
    else server.registerTool(name, { description }, (ctx) => run({}, ctx))
  }

  /** Asks once for one thing, then reports. */
  const askOnce = (name, key, request, report, inputSchema) =>
    tool(
      name,
      (args, ctx) => {
        const answer = inputResponse(ctx.mcpReq.inputResponses, key)
        return answer.kind === 'missing' ? asks({ [key]: request(args) }) : says(report(answer))
      },
      inputSchema,
    )
  const sampled = ({ result }) => `LLM response: ${result.content.text}`
  const elicited = ({ action, content }) => `action=${action}, content=${JSON.stringify(content ?? {})}`
  const completed = (answer) => `Elicitation completed: ${elicited(answer)}`

  askOnce(
    'test_sampling',
    'answer',
    ({ prompt: question }) => prompt(question),
    sampled,
    z.object({ prompt: z.string().describe('The prompt to send to the LLM') }),
  )
  askOnce(
    'test_elicitation',
    'answer',
    ({ message }) =>
      inputRequired.elicit({
        message,
        requestedSchema: {
          type: 'object',
          properties: {
            username: { type: 'string', description: "User's response" },
            email: { type: 'string', description: "User's email address" },
          },
          required: ['username', 'email'],
        },
      }),
    (answer) => `User response: ${elicited(answer)}`,
    z.object({ message: z.string().describe('The message to show the user') }),
  )
  askOnce(
    'test_elicitation_sep1034_defaults',
    'answer',
    () =>
      inputRequired.elicit({
        message: 'Please review the defaults',
        requestedSchema: {
          type: 'object',
          properties: {
            name: { type: 'string', default: 'John Doe' },
            age: { type: 'integer', default: 30 },
            score: { type: 'number', default: 95.5 },
            status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
            verified: { type: 'boolean', default: true },
          },
        },
      }),
    completed,
  )
  const titled = (prefix, titles) => titles.map((title, i) => ({ const: `${prefix}${i + 1}`, title }))
  askOnce(
    'test_elicitation_sep1330_enums',
    'answer',
    () =>
      inputRequired.elicit({
        message: 'Please choose',
        requestedSchema: {
          type: 'object',
          properties: {
            untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
            titledSingle: {
              type: 'string',
              oneOf: titled('value', ['First Option', 'Second Option', 'Third Option']),
            },
            legacyEnum: {
              type: 'string',
              enum: ['opt1', 'opt2', 'opt3'],
              enumNames: ['Option One', 'Option Two', 'Option Three'],
            },
            untitledMulti: {
              type: 'array',
              items: { type: 'string', enum: ['option1', 'option2', 'option3'] },
            },
            titledMulti: {
              type: 'array',
              items: { anyOf: titled('value', ['First Choice', 'Second Choice', 'Third Choice']) },
            },
          },
        },
      }),
    completed,
  )
  askOnce('test_streaming_elicitation', 'answer', () => form('Go on?', 'go', 'boolean'), completed)
  askOnce(
    'test_input_required_result_sampling',
    'capital_question',
    () => prompt('What is the capital of France?'),
    sampled,
  )
  // The SDK refuses to ask clients for what they did not declare: the point of this one.
  askOnce('test_missing_capability', 'answer', () => prompt('Are you there?'), sampled)
  askOnce(
    'test_input_required_result_list_roots',
    'client_roots',
    () => inputRequired.listRoots(),
    ({ roots }) => `Roots: ${roots.map((root) => root.uri).join(', ')}`,
  )

  tool('test_input_required_result_elicitation', (_args, ctx) => {
    const answer = acceptedContent(ctx.mcpReq.inputResponses, 'user_name', z.object({ name: z.string() }))
    return answer ? says(`Hello, ${answer.name}!`) : asks({ user_name: form('What is your name?', 'name') })
  })
  tool('test_input_required_result_request_state', async (_args, ctx) => {
    if (ctx.mcpReq.requestState()?.step === 'confirm') return says('state-ok')
    return asks({ confirm: form('Please confirm', 'ok', 'boolean') }, await state.mint({ step: 'confirm' }))
  })
  tool('test_input_required_result_tampered_state', async (_args, ctx) => {
    if (ctx.mcpReq.requestState()) return says('The state came back as it was sent')
    return asks({ confirm: form('Please confirm', 'ok', 'boolean') }, await state.mint({ step: 'confirm' }))
  })
  tool('test_input_required_result_multiple_inputs', async (_args, ctx) => {
    const requests = {
      user_name: form('What is your name?', 'name'),
      greeting: prompt('Generate a greeting', 50),
      client_roots: inputRequired.listRoots(),
    }
    const answers = Object.keys(requests).map((key) => inputResponse(ctx.mcpReq.inputResponses, key).kind)
    if (answers.includes('missing')) return asks(requests, await state.mint({ step: 'all' }))
    return says(`Received ${answers.join(', ')}`)
  })
  tool('test_input_required_result_multi_round', async (_args, ctx) => {
    const { step, name } = ctx.mcpReq.requestState() ?? {}
    const answers = ctx.mcpReq.inputResponses
    if (step === 2) return says(`${name} likes ${acceptedContent(answers, 'step2')?.color}`)
    if (step === 1) {
      const known = { step: 2, name: acceptedContent(answers, 'step1')?.name }
      return asks({ step2: form('Step 2: What is your favorite color?', 'color') }, await state.mint(known))
    }
    return asks({ step1: form('Step 1: What is your name?', 'name') }, await state.mint({ step: 1 }))
  })
  tool('test_input_required_result_capabilities', (_args, ctx) => {
    if (ctx.mcpReq.inputResponses) return says('Thank you')
    const can = ctx.mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}
    const requests = {
      ...(can.sampling && { sampled: prompt('Say something') }),
      ...(can.elicitation && { elicited: form('What is your name?', 'name') }),
      ...(can.roots && { roots: inputRequired.listRoots() }),
    }
    return Object.keys(requests).length > 0 ? asks(requests) : says('The client offers nothing to ask for')
  })
}

function addResources(server) {
  const resource = (name, uri, mimeType, contents) =>
    server.registerResource(name, uri, { description: `A resource: ${name}`, mimeType }, (asked) => ({
      contents: [{ uri: asked.href, mimeType, ...contents }],
    }))
  resource('static-text', 'test://static-text', 'text/plain', {
    text: 'This is the content of the static text resource.',
  })
  resource('static-binary', 'test://static-binary', 'image/png', { blob: PNG })
  resource('watched', 'test://watched-resource', 'text/plain', { text: 'Something to subscribe to.' })
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'A resource for every id', mimeType: 'application/json' },
    (uri, { id }) => {
      const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
      return { contents: [{ uri: uri.href, mimeType: 'application/json', text: data }] }
    },
  )
  // Only 2025 sessions send these; 2026 clients open a `subscriptions/listen` stream.
  server.server.setRequestHandler('resources/subscribe', () => ({}))
  server.server.setRequestHandler('resources/unsubscribe', () => ({}))
}

function addPrompts(server) {
  const argument = (description) => z.string().describe(description)
  server.registerPrompt('test_simple_prompt', { description: 'No arguments' }, () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }))
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'Two arguments, the first with completion',
      argsSchema: z.object({
        arg1: completable(argument('First test argument'), (typed) =>
          ['paris', 'park', 'party'].filter((word) => word.startsWith(typed)),
        ),
        arg2: argument('Second test argument'),
      }),
    },
    ({ arg1, arg2 }) => ({
      messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  )
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    {
      description: 'Embeds a resource',
      argsSchema: z.object({ resourceUri: argument('URI of the resource to embed') }),
    },
    ({ resourceUri: uri }) => ({
      messages: [
        user({
          type: 'resource',
          resource: { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
        }),
        user(text('Please process the embedded resource above.')),
      ],
    }),
  )
  server.registerPrompt('test_prompt_with_image', { description: 'Shows an image' }, () => ({
    messages: [user(image), user(text('Please analyze the image above.'))],
  }))
  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Asks for its context first' },
    (ctx) => {
      const answer = acceptedContent(ctx.mcpReq.inputResponses, 'user_context')
      if (!answer) return asks({ user_context: form('What context should the prompt use?', 'context') })
      return { messages: [user(text(`Context: ${answer.context}`))] }
    },
  )
}
