/**
 * A stage that returns its inputs. With the parameter `processor`, each replica pins its thread to that processor, so
 * that a benchmark can separate the router's thread from the replicas' threads.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

export async function load({ parameters }) {
  const { processor } = parameters;
  if (processor !== undefined) pinThisThread(processor);
  return { run: async (batch) => batch };
}

function pinThisThread(processor) {
  const threadId = readlinkSync('/proc/thread-self').split('/').at(-1);
  execFileSync('taskset', ['-cp', String(processor), threadId], { stdio: 'ignore' });
}
