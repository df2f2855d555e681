// The package as its users get it: packed, installed in an empty project, loaded and compiled there.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

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

/** Packages by name, each in our version. */
export function ourVersionsOf(names) {
  return Object.fromEntries(names.map((name) => [name, manifest.devDependencies[name]]))
}

export const companions = ourVersionsOf(COMPANIONS)

/** Runs a program quietly; what it said matters only if it failed. */
export function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0)
    throw new Error(`${[command, ...args].join(' ')} ended with ${status}\n${stdout}${stderr}`)
  return { stdout, stderr }
}

/** The npm that started us, or the one on the PATH. */
export function npm(cwd, ...args) {
  const cli = process.env.npm_execpath
  return cli ? run(process.execPath, [cli, ...args], cwd) : run('npm', args, cwd)
}

/** Builds and packs into a directory. Gives npm's account of the tarball, and its path. */
export function pack(directory) {
  npm(root, 'run', 'build')
  // Built just now; with its scripts, npm would mix their output into the JSON.
  const { stdout } = npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', directory)
  const [packed] = JSON.parse(stdout)
  return { packed, tarball: join(directory, packed.filename) }
}

/** Makes a project with these dependencies. */
export function install(project, dependencies) {
  mkdirSync(project, { recursive: true })
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

/** The consumer goes through a compiler of the project, with the declarations of everything installed checked as well. */
export function compileConsumer(project, { typescript = 'typescript', file = 'consumer.ts', ...more } = {}) {
  cpSync(join(root, 'scripts/consumer/consumer.ts'), join(project, file))
  compile(project, [file], { skipLibCheck: false, ...more }, typescript)
}

/** Compiles files of the project as strictly as can be. */
export function compile(project, files, more, typescript = 'typescript') {
  const { strict, ...options } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')).compilerOptions
  const compilerOptions = {
    strict,
    exactOptionalPropertyTypes: options.exactOptionalPropertyTypes,
    target: options.target,
    lib: options.lib,
    module: 'nodenext',
    types: ['node'],
    noEmit: true,
    ...more,
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  run(process.execPath, [join(project, 'node_modules', typescript, 'bin/tsc')], project)
}

export function entryPoints() {
  return Object.entries(manifest.exports).filter(
    ([subpath, target]) => typeof target !== 'string' && !subpath.includes('*'),
  )
}

/** What people import: `express-mcp-auth`, and with each path. */
export function entryNames() {
  return entryPoints().map(([subpath]) => manifest.name + subpath.slice(1))
}

/** Loads modules by both ways, which have to give the same ones. Gives what was said meanwhile. */
export function loadBothWays(project, names, node = process.execPath) {
  const script = `
    const load = async (name) => {
      const required = require(name)
      const imported = await import(name)
      const names = Object.keys(imported)
      if (names.length === 0) throw new Error(name + ' exports nothing')
      for (const key of names) if (imported[key] !== required[key]) throw new Error(name + ': ' + key + ' is there twice')
    }
    ${JSON.stringify(names)}.reduce((before, name) => before.then(() => load(name)), Promise.resolve())`
  return run(node, ['--input-type=commonjs', '-e', script], project).stderr
}
