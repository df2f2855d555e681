// Makes one file of bundled.mjs, by the bundler that the name of the file says: `node bundle.mjs rollup.mjs`.
import { promisify } from 'node:util'

const [file] = process.argv.slice(2)
const [name, format] = file.split('.')
// The optional peer, which Node 20 wants for SQLite.
const external = ['libsql']

const REQUIRE = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url)`

const BUNDLERS = {
  async esbuild() {
    const { build } = await import('esbuild')
    await build({
      entryPoints: ['bundled.mjs'],
      outfile: `out/${file}`,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: format === 'cjs' ? 'cjs' : 'esm',
      external,
      // Some of what we need is CommonJS, and asks for parts of Node by a name that modules do not have.
      ...(format === 'mjs' && { banner: { js: REQUIRE } }),
    })
  },
  async rollup() {
    const { rollup } = await import('rollup')
    const plugins = await Promise.all(
      ['node-resolve', 'commonjs', 'json'].map((plugin) => import(`@rollup/plugin-${plugin}`)),
    )
    const [resolve, commonjs, json] = plugins.map((plugin) => plugin.default)
    const bundle = await rollup({
      input: 'bundled.mjs',
      external,
      plugins: [resolve({ preferBuiltins: true, exportConditions: ['node'] }), commonjs(), json()],
    })
    await bundle.write({ file: `out/${file}`, inlineDynamicImports: true })
  },
  async webpack() {
    const { default: webpack } = await import('webpack')
    const compiler = webpack({
      mode: 'production',
      target: 'node20',
      entry: './bundled.mjs',
      output: { path: `${process.cwd()}/out`, filename: file, module: true, library: { type: 'module' } },
      experiments: { outputModule: true },
      externals: { libsql: 'import libsql' },
      plugins: [new webpack.optimize.LimitChunkCountPlugin({ maxChunks: 1 })],
    })
    const stats = await promisify(compiler.run.bind(compiler))()
    if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }))
  },
}

await BUNDLERS[name]()
