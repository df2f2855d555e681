// Express 4 is installed beside Express 5 under a name of its own. What is used of it has the types of Express 5.
declare module 'express4' {
  export { default } from 'express'
}
