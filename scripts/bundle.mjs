// Writes the JavaScript of dist/: each entry point of package.json, and what several of them share, as one file. A hundred small files
// take twice as long to load.
import { readFileSync } from 'node:fs'
import { build } from 'esbuild'

const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

const entryPoints = Object.values(exports)
  .filter((target) => typeof target === 'object')
  .map((target) => target.default.replace(/^\.\/dist\//, 'lib/').replace(/\.js$/, '.ts'))

await build({
  absWorkingDir: new URL('..', import.meta.url).pathname,
  entryPoints,
  outdir: 'dist',
  outbase: 'lib',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
})
