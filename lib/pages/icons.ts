// Drawings of the pages. They are part of the markup, so that no page loads anything.
import { type SafeHtml, html } from '../protocol/html.js'

const draw = (path: SafeHtml): SafeHtml =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${path}</svg>`

export const CHECK: SafeHtml = draw(html`<path d="M5 12.5l4.5 4.5L19 7.5" />`)
export const SEAL: SafeHtml = draw(
  html`<path d="M12 3l7 3v5c0 4.6-2.9 8-7 10-4.1-2-7-5.4-7-10V6z" /><path d="M9 11.8l2.2 2.2 4-4.2" />`,
)
export const WARNING: SafeHtml = draw(
  html`<path d="M12 4L2.8 19.5h18.4z" /><path d="M12 10v4" /><path d="M12 17v.01" />`,
)
export const QUESTION: SafeHtml = draw(
  html`<circle cx="12" cy="12" r="9" />
    <path d="M9.6 9.4a2.5 2.5 0 1 1 3.5 2.5c-.8.4-1.1.9-1.1 1.8" />
    <path d="M12 16.6v.01" />`,
)
export const CLOCK: SafeHtml = draw(html`<circle cx="12" cy="12" r="9" /><path d="M12 7v5l3.2 2" />`)
export const DEVICE: SafeHtml = draw(
  html`<rect x="4" y="5" width="16" height="11" rx="1.5" /><path d="M2 19.5h20" />`,
)
export const GLOBE: SafeHtml = draw(
  html`<circle cx="12" cy="12" r="9" />
    <path d="M3 12h18M12 3c2.6 2.6 3.9 5.6 3.9 9s-1.3 6.4-3.9 9c-2.6-2.6-3.9-5.6-3.9-9S9.4 5.6 12 3z" />`,
)
