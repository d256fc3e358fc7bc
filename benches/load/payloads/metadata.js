// k6: credentials of the instance at the address that k6 comes from, with a token of version 2, at a constant rate.
//   TARGET=http://127.0.0.1:7402 k6 run metadata.js

import http from 'k6/http';
import { check } from 'k6';

const target = __ENV.TARGET;
const roles = `${target}/latest/meta-data/iam/security-credentials/`;

export const options = {
  scenarios: {
    credentials: {
      executor: 'constant-arrival-rate',
      rate: 1000,
      timeUnit: '1s',
      duration: '30s',
      preAllocatedVUs: 100,
    },
  },
};

export function setup() {
  const ttl = { headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '21600' } };
  const token = http.put(`${target}/latest/api/token`, null, ttl).body;
  const headers = { 'X-aws-ec2-metadata-token': token };
  return { headers, role: http.get(roles, { headers }).body };
}

export default function (found) {
  const answer = http.get(roles + found.role, { headers: found.headers });
  check(answer, { success: (r) => r.status === 200 && r.json('Code') === 'Success' });
}
