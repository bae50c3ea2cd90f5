/** What a decision log has, for whoever asked it for something else. */
import { readDecisionLog } from '@equipoise/runtime';

/** The pipelines of the log in `path`, each with the number of its newest decision, as the end of a sentence. */
export async function newestText(path: string): Promise<string> {
  const { decisions } = await readDecisionLog(path, { newest: 1 });
  const newest = decisions.map(({ pipelineName, record }) => `${pipelineName} (newest ${record.id})`);
  return newest.length === 0 ? 'there is none of any pipeline' : `it has those of ${newest.join(', ')}`;
}
