// RFC 7515 4 and RFC 7519 4: member names within a JOSE header or a claims set are unique, and the value is an object.

const MAX_DEPTH = 32

/**
 * Parses a JSON object and refuses what JSON.parse lets pass: repeated members (it keeps the last), text that is not
 * UTF-8, and nesting that only an attack would use.
 *
 * @returns undefined where the text is not such an object
 */
export function parseStrictObject(text: string): Record<string, unknown> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  // JSON.parse keeps one of several equal members, so the value then has fewer members than the text has colons.
  if (countMembers(value, 0) !== countColons(text)) return undefined
  return value as Record<string, unknown>
}

function countMembers(value: object, depth: number): number {
  if (depth > MAX_DEPTH) return Number.NaN
  const members = Object.values(value) as unknown[]
  let count = Array.isArray(value) ? 0 : members.length
  for (const member of members) {
    if (typeof member === 'object' && member !== null) count += countMembers(member, depth + 1)
  }
  return count
}

function countColons(text: string): number {
  let count = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === 0x5c) index++
      else if (code === 0x22) inString = false
    } else if (code === 0x22) inString = true
    else if (code === 0x3a) count++
  }
  return count
}
