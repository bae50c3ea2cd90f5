/**
 * Checks that a stage returned one map of tensors per item. A buffer returned twice is empty the second time, because
 * it was transferred; the length check finds that.
 */
import { kindOf, type TensorMap, tensorProblem } from '@equipoise/core/model';

const GIVEN_AWAY = '; a returned tensor is given away, return a new one each time';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function resultProblem(result: unknown, index: number): string | undefined {
  if (!isRecord(result)) return `result ${index + 1}: expected an object of tensors by name, found ${kindOf(result)}`;
  for (const [name, value] of Object.entries(result)) {
    const problem = tensorProblem(value, GIVEN_AWAY);
    if (problem !== undefined) return `result ${index + 1}, tensor '${name}': ${problem}`;
  }
  return undefined;
}

/** Throws an Error that names the bad result and the expected one. */
export function checkedResults(results: unknown, batchSize: number): readonly TensorMap[] {
  if (!Array.isArray(results))
    throw new Error(`run must return an array of ${batchSize} results, found ${kindOf(results)}`);
  if (results.length !== batchSize) throw new Error(`run must return ${batchSize} results, found ${results.length}`);
  for (const [index, result] of results.entries()) {
    const problem = resultProblem(result, index);
    if (problem !== undefined) throw new Error(problem);
  }
  return results as readonly TensorMap[];
}
