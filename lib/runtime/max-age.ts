// How long a response says that it may be kept.

/** RFC 9111 5.2.2: the lifetime that a response states for itself, in seconds; 0 where it is not to be kept. */
export function maxAgeOf(headers: Headers): number | undefined {
  const control = headers.get('cache-control') ?? ''
  if (/\bno-(?:store|cache)\b/i.test(control)) return 0
  const seconds = /(?:^|[\s,])max-age=(\d{1,9})\b/i.exec(control)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}
