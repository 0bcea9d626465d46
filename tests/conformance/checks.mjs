// Runs named checks one after another; each throws what is wrong.
export function expect(actual, wanted, what) {
  const [a, w] = [JSON.stringify(actual), JSON.stringify(wanted)];
  if (a !== w) throw new Error(`${what}: ${a} instead of ${w}`);
}

export async function runChecks(title, checks, patience_ms = 15_000) {
  let failures = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await Promise.race([check(), tooLate(patience_ms)]);
    } catch (error) {
      failures += 1;
      console.log(`${title} failed: ${name}: ${error.message}`);
    }
  }
  const count = Object.keys(checks).length;
  console.log(`${title}: ${count - failures} of ${count}`);
  return failures;
}

function tooLate(ms) {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("no answer in time")), ms).unref());
}
