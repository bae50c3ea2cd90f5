/** Loaded into a process that addresses pods: maps 10.x.y.z to 127.POD_NETWORK.y.z. */
import { Agent } from 'node:http';

const { createConnection } = Agent.prototype;
const network = `127.${process.env.POD_NETWORK}.`;
Agent.prototype.createConnection = function connect(options, ...rest) {
  return createConnection.call(this, { ...options, host: options.host.replace(/^10\.\d+\./, network) }, ...rest);
};
