const everything = { lines: 100, branches: 100, functions: 100, statements: 100 }

export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  testTimeout: 20_000,
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    // Sources import each other as the compiled files will: by .js names.
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // Tests and examples import the package by its name and run the sources.
    '^express-mcp-auth$': '<rootDir>/lib/index.ts',
    '^express-mcp-auth/stores/(.*)$': '<rootDir>/lib/stores/$1.ts',
    '^express-mcp-auth/providers/(.*)$': '<rootDir>/lib/providers/idp/$1.ts',
    '^express-mcp-auth/(.*)$': '<rootDir>/lib/$1/index.ts',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { swcrc: false, jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  // Much of a test is waiting for processes and browsers: one core fewer, as is usual, would stand idle.
  maxWorkers: '100%',
  // ES modules are never unloaded, so a worker grows with every test file until it is replaced.
  workerIdleMemoryLimit: '512MB',
  collectCoverageFrom: ['lib/**/*.ts'],
  coverageReporters: [['text', { skipFull: true }], 'lcov'],
  coverageThreshold: {
    './lib/protocol/': everything,
    './lib/verifiers/': everything,
    './lib/authorization-server/': everything,
    // Without the servers that their tests start, Redis and PostgreSQL are covered in part.
    './lib/stores/!(redis|postgres|deadline)*.ts': everything,
    './lib/http/guard.ts': everything,
  },
}
