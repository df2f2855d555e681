// RFC 3339: a time as services write it, in the seconds that tokens count.

/** Seconds since the epoch; undefined where the text is no time. */
export function secondsOfIsoTime(text: unknown): number | undefined {
  const milliseconds = typeof text === 'string' && /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1000)
}
