/**
 * A stage that does nothing: what goes in comes out. With a parameter `processor` its replica moves its own thread there, so that a
 * benchmark can keep the thread of the router apart from those of its replicas.
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
