/**
 * Loaded into a process that represents a pod. Resolves names of Services like cluster DNS: CLUSTER_NAMES_FILE is a
 * JSON object of names with the addresses of their ready pods. A Service without ready pods has no address; the system
 * resolves other names.
 */

import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const file = process.env.CLUSTER_NAMES_FILE;
const asked = { callback: dns.lookup, promise: dns.promises.lookup };

const addressesOf = (name) => JSON.parse(readFileSync(file, 'utf8'))[name]?.map((address) => ({ address, family: 4 }));

function notFound(name) {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname: name,
  });
}

dns.lookup = (name, options, callback = options) => {
  const found = addressesOf(name);
  if (found === undefined) return asked.callback(name, options, callback);
  const [first] = found;
  setImmediate(() => {
    if (first === undefined) callback(notFound(name));
    else if (options.all === true) callback(null, found);
    else callback(null, first.address, first.family);
  });
  return {};
};
dns.promises.lookup = async (name, options = {}) => {
  const found = addressesOf(name);
  if (found === undefined) return asked.promise(name, options);
  if (found.length === 0) throw notFound(name);
  return options.all === true ? found : found[0];
};
syncBuiltinESMExports();
