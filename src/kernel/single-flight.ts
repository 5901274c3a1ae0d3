/** Joins calls for the same key while one is under way: all get the same promise. */
export function createSingleFlight<Key, Value>(): (
  key: Key,
  work: () => Promise<Value>,
) => Promise<Value> {
  const flights = new Map<Key, Promise<Value>>()
  return (key, work) => {
    const flying = flights.get(key)
    if (flying) return flying
    const flight = work().finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}
