// Timers of `deps` let the process end; whoever waits for another process by them has to hold it.

/** Keeps the process alive until some work is done, whatever becomes of it. */
export async function stayAwake<Result>(work: Promise<Result>): Promise<Result> {
  const hold = setInterval(() => undefined, 2 ** 30)
  try {
    return await work
  } finally {
    clearInterval(hold)
  }
}
