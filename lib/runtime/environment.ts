// What the process says of where it runs.

/** Whether this is production, as node's frameworks say it. */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production'
}
