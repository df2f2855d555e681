// Makes a fresh checkout ready: installs what is missing and, with --build, compiles what is out of date.
// Says nothing when there is nothing to do.
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

// npm writes its own copy of the lock file last, so this one is as old as the last complete installation.
if (changed('package-lock.json') > changed('node_modules/.package-lock.json')) {
  npm('Installing dependencies (npm ci) …', 'ci', '--no-audit', '--no-fund')
}

// Folders count as well: their time moves when a file is deleted.
const sources = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'lib', ...below('lib')]
if (process.argv.includes('--build') && Math.max(...sources.map(changed)) > changed('dist/index.js')) {
  npm('Compiling lib/ to dist/ …', 'run', 'build', '--silent')
}

/** When a file last changed, or 0 where there is none. */
function changed(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function below(folder) {
  return readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name))
}

function npm(message, ...args) {
  console.error(message)
  // Under `npm run`, the same npm goes on; called directly, the one on the PATH.
  const cli = process.env.npm_execpath
  const { status, error } = cli
    ? spawnSync(process.execPath, [cli, ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (error) console.error(`npm could not be started: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}
