// What a person sees who comes back from the authorization server: our own pages, in the words of a program on this machine.
import { type Pages, type RenderedPage, createPages } from '../pages/pages.js'

/** What became of a sign-in. */
export type CallbackOutcome =
  | { readonly kind: 'done' }
  /** The authorization server said no. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** Nobody here asked for this. */
  | { readonly kind: 'ignored' }

/** The pages of one client. */
export class CallbackPages {
  readonly #pages: Pages

  constructor(clientName: string) {
    const name = clientName.replaceAll(/[{}]/g, '')
    this.#pages = createPages({
      branding: { name },
      texts: {
        'signed_out.title': 'You are signed in',
        'signed_out.body': `${name} goes on by itself.`,
        'signed_out.advice': 'You can close this page.',
        'sign_in_failed.title': 'You are not signed in',
        'sign_in_failed.body': `${name} was not given access.`,
        'sign_in_failed.advice': 'Go back to it and try again.',
        'forged.title': 'Nobody waits for this',
        'forged.body': `This page was not opened by a sign-in that ${name} waits for.`,
        'forged.advice':
          'Nothing has happened. If you are signing in, go on in the page that was opened for that.',
      },
    })
  }

  render(outcome: CallbackOutcome): RenderedPage & { readonly status: number } {
    const [message, status] = MESSAGES[outcome.kind]
    const detail = outcome.kind === 'refused' ? outcome.detail : undefined
    return { ...this.#pages.render({ kind: 'message', status, message, detail }), status }
  }
}

const MESSAGES = {
  done: ['signed_out', 200],
  refused: ['sign_in_failed', 400],
  ignored: ['forged', 400],
} as const
