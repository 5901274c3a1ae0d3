/**
 * Does `work` for each who comes, at the end of the turn of the event loop in which they came, one
 * after the other. A core's nearest caches hold the kernel's code, OpenSSL's or ours, and not all at
 * once: to take one step for fifty visitors and then the next costs half of taking fifty visitors
 * through all steps. Each waits for no more than what else came in the same turn.
 */
export function createTogether<One>(work: (one: One) => void): (one: One) => void {
  let those: One[] = []
  const doAll = (): void => {
    const now = those
    those = []
    for (const one of now) work(one)
  }
  return (one) => {
    if (those.push(one) === 1) setImmediate(doAll)
  }
}
