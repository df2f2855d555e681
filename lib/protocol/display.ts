// Text from clients that people will read: one line, without letters that hide, reorder or imitate others.

/** White space of any kind, the controls that end a line among it. */
const SPACE = /[\s\u0085]+/gu

/** Controls, formatting (bidi overrides, zero width), half letters, private use, and all that shows nothing. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** Marks piled on one letter spill over the lines around it. */
const PILE = /(\p{M}{3})\p{M}+/gu

/** Text fit to be shown, at most `max` letters of it; undefined where nothing is left. */
export function cleanText(text: unknown, max: number): string | undefined {
  if (typeof text !== 'string') return undefined
  const shown = text.replace(SPACE, ' ').replace(HIDDEN, '').replace(PILE, '$1').replace(/ +/g, ' ').trim()
  // Counted in code points, so that none is cut in two.
  const cut = shown.length > max ? Array.from(shown).slice(0, max).join('').trimEnd() : shown
  return cut === '' ? undefined : cut
}
