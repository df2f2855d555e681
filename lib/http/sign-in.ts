// GET /sign-in: the built-in page. POST /sign-in: 303 to what the person came for, or the page again with 400. POST /sign-out: 303 to the
// sign-in page, and the session is over.
import { type CredentialSignIn, parseUser } from '../authorization-server/people.js'
import { type Transaction, findTransaction } from '../authorization-server/transaction.js'
import type { SignInPage } from '../pages/page.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import type { Parameters } from '../protocol/parameters.js'
import type { Route, RouteContext } from '../runtime/route.js'
import { clientForPage } from './client-for-page.js'
import { type Interaction, queryOf } from './interaction.js'
import { leave } from './leave.js'
import { messagePage, pageResponse, pageRoute, readOwnForm, redirect } from './page-route.js'

/** Longest user name or password that is handed on: what is longer would only keep a hash function busy. */
const LONGEST = 1024

export function signInRoutes(path: string, signOutPath: string, interaction: Interaction): Route[] {
  const { server, signIn } = interaction
  if ('currentUser' in signIn) return []
  const signOutRoute = pageRoute(signOutPath, 'sign-out', server, (request, context) =>
    signOut(request, readOwnForm(request, context.body), interaction),
  )
  const leaving: Route = { ...signOutRoute, methods: ['POST'] }
  if ('upstream' in signIn) return [elsewhereRoute(path, interaction), leaving]
  const signInRoute = pageRoute(path, 'sign-in', server, async (request, context) => {
    if (request.method !== 'POST') {
      return show(request, queryOf(request).get('transaction'), interaction, context)
    }
    return take(request, readOwnForm(request, context.body), signIn, interaction, context)
  })
  return [signInRoute, leaving]
}

/** Where people sign in elsewhere: for their own pages, since what a client asks for is agreed to first. */
function elsewhereRoute(path: string, interaction: Interaction): Route {
  const { server } = interaction
  const route = pageRoute(path, 'sign-in', server, (request, context) => {
    const plan = { purpose: { kind: 'connections' }, scopes: server.settings.requiredScopes } as const
    return leave(request, interaction, plan, context.report)
  })
  return { ...route, methods: ['GET'] }
}

interface Shown {
  readonly failure?: SignInPage['failure']
  readonly username?: string | undefined
}

async function show(
  request: AuthRequest,
  handle: string | undefined,
  interaction: Interaction,
  context: RouteContext,
  shown: Shown = {},
): Promise<AuthResponse> {
  const { server, cookies } = interaction
  const transaction =
    handle === undefined ? undefined : await findTransaction(handle, cookies.browserOf(request), server)
  if (transaction === 'expired') return messagePage(server, 'expired', 400)
  if (transaction === 'other_browser') return messagePage(server, 'other_browser', 403)
  const browser = cookies.nameBrowser(request)
  const page: SignInPage = {
    kind: 'sign-in',
    action: interaction.urlOf('sign-in'),
    hidden: {
      ...(handle !== undefined && { transaction: handle }),
      csrf: cookies.formCode(browser.id, formOf(handle)),
    },
    client: transaction && (await clientForPage(transaction, server, context.report)),
    ...shown,
  }
  return pageResponse(server, page, shown.failure === undefined ? 200 : 400, browser.cookies)
}

async function take(
  request: AuthRequest,
  form: Parameters,
  signIn: CredentialSignIn,
  interaction: Interaction,
  context: RouteContext,
): Promise<AuthResponse> {
  const { server, cookies } = interaction
  const handle = form.get('transaction')
  const browserId = cookies.browserOf(request)
  // A form of ours that is no longer ours: the cookie is gone, or the secret changed. The person may simply try again.
  if (browserId === undefined) return show(request, undefined, interaction, context, { failure: 'expired' })
  if (!cookies.isOurForm(request, browserId, formOf(handle), form.get('csrf')))
    return messagePage(server, 'forged', 403)
  const transaction = handle === undefined ? undefined : await findTransaction(handle, browserId, server)
  if (transaction === 'expired' || transaction === 'other_browser') return messagePage(server, 'expired', 400)
  const username = form.get('username')
  const password = form.get('password')
  if (username === undefined || password === undefined) {
    return show(request, handle, interaction, context, { failure: 'missing', username })
  }
  const fits = username.length <= LONGEST && password.length <= LONGEST
  const user = fits
    ? parseUser(await signIn.verifyCredentials(username, password), 'signIn.verifyCredentials')
    : undefined
  if (user === undefined) {
    context.report({ type: 'sign_in.failed' })
    return show(request, handle, interaction, context, {
      failure: 'wrong',
      username: fits ? username : undefined,
    })
  }
  await interaction.endSession(request)
  const cookie = await interaction.beginSession(user)
  context.report({ type: 'sign_in.succeeded', subject: user.subject })
  const next =
    handle === undefined
      ? interaction.urlOf('connections')
      : interaction.urlOf('consent', { transaction: handle })
  return redirect(request, next, [cookie])
}

/** Ends the session. What waits for a decision goes on with whoever signs in next. */
async function signOut(
  request: AuthRequest,
  form: Parameters,
  interaction: Interaction,
): Promise<AuthResponse> {
  const { server, cookies } = interaction
  const transaction = form.get('transaction')
  if (!cookies.isOurForm(request, cookies.browserOf(request), pageOf(transaction), form.get('csrf'))) {
    return messagePage(server, 'forged', 403)
  }
  const cookie = await interaction.endSession(request)
  // Sent back to an identity provider that remembers them, they would be signed in again.
  if (server.upstream !== undefined) return messagePage(server, 'signed_out', 200, {}, [cookie])
  return redirect(request, interaction.urlOf('sign-in', transaction === undefined ? {} : { transaction }), [
    cookie,
  ])
}

function formOf(handle: string | undefined): string {
  return `sign-in ${handle ?? ''}`
}

/** What the code of a form stands for on a page where a person is signed in. */
export function pageOf(transaction: Transaction['handle'] | undefined): string {
  return transaction === undefined ? 'connections' : `consent ${transaction}`
}
