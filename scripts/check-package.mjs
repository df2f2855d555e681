// Looks at the package as its users get it: packs it, lints the tarball, installs it in an empty project beside Express and
// both MCP SDKs, and there compiles, imports and requires it.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** What the project of our imaginary user has besides us, in the versions that we test with. */
const COMPANIONS = [
  '@modelcontextprotocol/client',
  '@modelcontextprotocol/node',
  '@modelcontextprotocol/sdk',
  '@modelcontextprotocol/server',
  '@types/express',
  '@types/node',
  'express',
  'typescript',
]

const work = mkdtempSync(join(tmpdir(), 'check-package-'))
try {
  const tarball = pack()
  step('publint', () => node('node_modules/publint/src/cli.js', 'run', tarball, '--strict'))
  step('are the types wrong', () =>
    node(
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      tarball,
      '--profile',
      'esm-only',
      '--format',
      'ascii',
    ),
  )
  const project = join(work, 'project')
  step('install', () => install(project, tarball))
  step('exports', () => checkExports(join(project, 'node_modules', manifest.name)))
  step('compile', () => compile(project))
  step('import and require', () => load(project))
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}

function step(name, check) {
  const start = performance.now()
  check()
  console.log(`ok  ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

/** Runs a program quietly; what it said matters only if it failed. */
function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0)
    throw new Error(`${[command, ...args].join(' ')} ended with ${status}\n${stdout}${stderr}`)
  return { stdout, stderr }
}

function node(script, ...args) {
  return run(process.execPath, [join(root, script), ...args])
}

/** The npm that started us, or the one on the PATH. */
function npm(cwd, ...args) {
  const cli = process.env.npm_execpath
  return cli ? run(process.execPath, [cli, ...args], cwd) : run('npm', args, cwd)
}

/** Builds and packs; checks what is inside. */
function pack() {
  let packed
  step('build and pack', () => {
    npm(root, 'run', 'build')
    // Built just now; with its scripts, npm would mix their output into the JSON.
    const { stdout } = npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', work)
    ;[packed] = JSON.parse(stdout)
    const paths = packed.files.map(({ path }) => path)
    for (const promised of manifest.files) {
      const there = paths.some((path) => path === promised || path.startsWith(`${promised}/`))
      if (!there) throw new Error(`package.json promises ${promised}, which the tarball does not have`)
    }
    const tests = paths.filter((path) => /__tests__|\.test\.|(?:^|\/)tests?\//.test(path))
    if (tests.length > 0) throw new Error(`The tarball has tests in it: ${tests.join(', ')}`)
  })
  return join(work, packed.filename)
}

function install(project, tarball) {
  mkdirSync(project)
  const companions = COMPANIONS.map((name) => [name, manifest.devDependencies[name]])
  const dependencies = { [manifest.name]: `file:${tarball}`, ...Object.fromEntries(companions) }
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies }),
  )
  npm(
    project,
    'install',
    '--prefer-offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
  )
}

/** Every path in "exports" is there, and no declaration changes types that are not ours. */
function checkExports(installed) {
  const files = readdirSync(installed, { recursive: true }).map((path) => `./${path.replaceAll('\\', '/')}`)
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    for (const path of typeof target === 'string' ? [target] : Object.values(target)) {
      const [start, end] = path.split('*')
      const there = files.some((file) =>
        end === undefined ? file === path : file.startsWith(start) && file.endsWith(end),
      )
      if (!there) throw new Error(`"${subpath}" leads to ${path}, which does not exist`)
    }
  }
  // Request.auth is declared by the SDKs, express-jwt and others; a declaration of ours would clash with theirs.
  for (const file of files.filter((path) => path.endsWith('.d.ts'))) {
    const augments = /^\s*declare\s+(?:global|module\s+['"])/m.test(
      readFileSync(join(installed, file), 'utf8'),
    )
    if (augments) throw new Error(`${file} augments global types`)
  }
}

function compile(project) {
  const consumer = readFileSync(join(root, 'scripts/consumer/consumer.ts'), 'utf8')
  const unused = exportedNames(project).filter((name) => !new RegExp(`\\b${name}\\b`).test(consumer))
  if (unused.length > 0) throw new Error(`scripts/consumer/consumer.ts does not use ${unused.join(', ')}`)

  cpSync(join(root, 'scripts/consumer'), project, { recursive: true })
  const { strict, ...options } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')).compilerOptions
  const compilerOptions = {
    strict,
    exactOptionalPropertyTypes: options.exactOptionalPropertyTypes,
    target: options.target,
    lib: options.lib,
    module: 'nodenext',
    types: ['node'],
    skipLibCheck: false,
    noEmit: true,
  }
  const tsc = join(project, 'node_modules/typescript/bin/tsc')
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
  run(process.execPath, [tsc], project)

  // What the README imports of the SDK wants a browser's types.
  const readme = { ...compilerOptions, skipLibCheck: true }
  const files = readmePrograms().map((program, index) => {
    writeFileSync(join(project, `readme-${index}.ts`), program)
    return `readme-${index}.ts`
  })
  writeFileSync(join(project, 'tsconfig.readme.json'), JSON.stringify({ compilerOptions: readme, files }))
  run(process.execPath, [tsc, '-p', 'tsconfig.readme.json'], project)
}

/** The README's programs, which are to be right as they stand. */
function readmePrograms() {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const programs = [...readme.matchAll(/^```ts\n(import .*?)^```$/gms)].map(([, program]) => program)
  if (programs.length === 0) throw new Error('README.md has no programs')
  return programs
}

/** All names, types included, that the entry points list. */
function exportedNames(project) {
  return entryPoints().flatMap(([, { types }]) => {
    const source = readFileSync(join(project, 'node_modules', manifest.name, types), 'utf8')
    return [...source.matchAll(/export\s+(?:type\s+)?\{([^}]*)\}/g)]
      .flatMap(([, names]) => names.split(','))
      .map((name) => name.trim().split(/\s+/).at(-1))
      .filter(Boolean)
  })
}

function entryPoints() {
  return Object.entries(manifest.exports).filter(
    ([subpath, target]) => typeof target !== 'string' && !subpath.includes('*'),
  )
}

/** Both ways of loading give the same modules, without a warning. */
function load(project) {
  for (const [subpath] of entryPoints()) {
    const name = JSON.stringify(manifest.name + subpath.slice(1))
    const script = `
      const required = require(${name})
      import(${name}).then((imported) => {
        const names = Object.keys(imported)
        if (names.length === 0) throw new Error('exports nothing')
        for (const name of names) if (imported[name] !== required[name]) throw new Error(name + ' is there twice')
      })`
    const { stderr } = run(process.execPath, ['--input-type=commonjs', '-e', script], project)
    if (stderr) throw new Error(`Loading ${name} warns: ${stderr}`)
    run(
      process.execPath,
      ['--input-type=module', '-e', `import * as all from ${name}; Object.keys(all)`],
      project,
    )
  }
}
