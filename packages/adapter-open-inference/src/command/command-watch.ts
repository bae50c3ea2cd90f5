/**
 * Process that runs a server command in its own process group and ends the group when the parent is gone. Descriptor 3
 * is a silent pipe that closes with the parent.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

const [program = '', ...args] = process.argv.slice(2);
const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
const parent = new Socket({ fd: 3, readable: true, writable: false });
parent.on('error', () => {});
parent.on('close', () => process.kill(-process.pid, 'SIGKILL'));
parent.resume();
child.on('error', (error) => {
  process.stderr.write(`${program} cannot be started: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (exitCode, signal) => {
  process.stderr.write(signal === null ? '' : `${program} was ended by ${signal}\n`);
  process.exit(exitCode ?? 1);
});
// The whole group gets the signal; this process waits for the server's exit.
process.on('SIGTERM', () => {});
