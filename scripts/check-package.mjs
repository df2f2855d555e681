// Looks at the package as its users get it: packs it, lints the tarball, installs it in an empty project beside Express and
// both MCP SDKs, and there compiles, imports and requires it.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  companions,
  compile,
  compileConsumer,
  entryNames,
  entryPoints,
  install,
  loadBothWays,
  manifest,
  pack,
  root,
  run,
} from './packed.mjs'

const work = mkdtempSync(join(tmpdir(), 'check-package-'))
try {
  const tarball = packChecked()
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
  step('install', () => install(project, { [manifest.name]: `file:${tarball}`, ...companions }))
  step('exports', () => checkExports(join(project, 'node_modules', manifest.name)))
  step('compile', () => compileAll(project))
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

function node(script, ...args) {
  return run(process.execPath, [join(root, script), ...args])
}

/** Builds and packs; checks what is inside. */
function packChecked() {
  let made
  step('build and pack', () => {
    made = pack(work)
    const paths = made.packed.files.map(({ path }) => path)
    for (const promised of manifest.files) {
      const there = paths.some((path) => path === promised || path.startsWith(`${promised}/`))
      if (!there) throw new Error(`package.json promises ${promised}, which the tarball does not have`)
    }
    const tests = paths.filter((path) => /__tests__|\.test\.|(?:^|\/)tests?\//.test(path))
    if (tests.length > 0) throw new Error(`The tarball has tests in it: ${tests.join(', ')}`)
  })
  return made.tarball
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

function compileAll(project) {
  const consumer = readFileSync(join(root, 'scripts/consumer/consumer.ts'), 'utf8')
  const unused = exportedNames(project).filter((name) => !new RegExp(`\\b${name}\\b`).test(consumer))
  if (unused.length > 0) throw new Error(`scripts/consumer/consumer.ts does not use ${unused.join(', ')}`)
  compileConsumer(project)

  // What the README imports of the SDK wants a browser's types.
  const files = readmePrograms().map((program, index) => {
    writeFileSync(join(project, `readme-${index}.ts`), program)
    return `readme-${index}.ts`
  })
  compile(project, files, { skipLibCheck: true })
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

/** Both ways of loading give the same modules, without a warning. */
function load(project) {
  for (const name of entryNames()) {
    const said = loadBothWays(project, [name])
    if (said) throw new Error(`Loading ${name} warns: ${said}`)
    const alone = `import * as all from ${JSON.stringify(name)}; Object.keys(all)`
    run(process.execPath, ['--input-type=module', '-e', alone], project)
  }
}
