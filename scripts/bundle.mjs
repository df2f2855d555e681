// Writes the JavaScript of dist/: each entry point of package.json, and what several of them share, as one file. A hundred small files
// take twice as long to load.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

const sources = Object.values(exports)
  .filter((target) => typeof target === 'object')
  .map((target) => target.default.replace(/^\.\/dist\//, 'lib/').replace(/\.js$/, '.ts'))
const providers = sources.filter((path) => path.startsWith('lib/providers/'))

const settings = {
  absWorkingDir: root,
  outdir: 'dist',
  outbase: 'lib',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
}

// The root knows every provider by name, for `providerFromEnv`. As an entry point each would be a file of its own there; so one file has them
// all, and their entry points point to it.
const ALL = 'providers/all'
const all = {
  name: ALL,
  setup(plugin) {
    plugin.onResolve({ filter: new RegExp(`^${ALL}$`) }, () => ({ path: ALL, namespace: ALL }))
    plugin.onLoad({ filter: /./, namespace: ALL }, () => ({
      contents: providers.map((path) => `export * from './${path}'`).join('\n'),
      resolveDir: root,
    }))
  },
}

await build({
  ...settings,
  entryPoints: [
    ...sources
      .filter((path) => !providers.includes(path))
      .map((path) => ({ in: path, out: path.slice(4, -3) })),
    { in: ALL, out: ALL },
  ],
  plugins: [all],
  splitting: true,
  sourcemap: true,
})

const { metafile } = await build({ ...settings, entryPoints: providers, metafile: true, write: false })
for (const [path, { exports: names }] of Object.entries(metafile.outputs)) {
  const file = new URL(`../${path}`, import.meta.url)
  mkdirSync(dirname(fileURLToPath(file)), { recursive: true })
  const to = posix.relative(posix.dirname(path), `dist/${ALL}.js`)
  writeFileSync(file, `export { ${names.join(', ')} } from '${to}'\n`)
}
