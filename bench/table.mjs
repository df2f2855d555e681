// Markdown tables that are also readable in a terminal.

export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String))
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)))
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(cells[0]), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join(
    '\n',
  )
}

/** Two digits that mean something, not six that do not. */
export function number(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return '-'
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return value.toFixed(1)
  return value.toFixed(2)
}

export const range = ({ median, q1, q3 }) => `${number(median)} (${number(q1)}–${number(q3)})`
