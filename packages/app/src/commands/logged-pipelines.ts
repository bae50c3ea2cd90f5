import { readDecisionLog } from '@equipoise/runtime';

/** Pipelines of a decision log with their newest decision numbers, as the end of a sentence. */
export async function newestText(path: string): Promise<string> {
  const { decisions } = await readDecisionLog(path, { newest: 1 });
  const newest = decisions.map(({ pipelineName, record }) => `${pipelineName} (newest ${record.id})`);
  return newest.length === 0 ? 'there is none of any pipeline' : `it has those of ${newest.join(', ')}`;
}
