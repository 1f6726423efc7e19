import { createServer } from 'node:https';
import { listen } from './fake-polaris/server.js';

/** Its own authority, for 127.0.0.1, from 2020 to 2021; the key opens nothing else. */
const EXPIRED = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBVTCB/KADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB2V4cGlyZWQw
HhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjASMRAwDgYDVQQDDAdleHBp
cmVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEThKcXQqFWIR9v73U1NsYMsW9
g4gbiLXGNd7xqcUFTqnGbCLqL0TohS4AC2UmfelFLYXo8LqRS3idb0EekWbsG6ND
MEEwDwYDVR0RBAgwBocEfwAAATAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQZ
Gb6T7434lnIrXmhpUa18rUjqiDAKBggqhkjOPQQDAgNIADBFAiEAyEABLn7KoGcH
+9/FAt0X0lnC26xOIgdnt4y+IVS72u0CIFyC8XX/SzIRmyDzDMCWPkvtnWcAutBO
DcFV1EIezjnQ
-----END CERTIFICATE-----
`,
  key: `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIErg4omFpOx4yUmkivkrfV14xFp0b2zygjYB8+ETuGtZoAoGCCqGSM49
AwEHoUQDQgAEThKcXQqFWIR9v73U1NsYMsW9g4gbiLXGNd7xqcUFTqnGbCLqL0To
hS4AC2UmfelFLYXo8LqRS3idb0EekWbsGw==
-----END EC PRIVATE KEY-----
`,
};

export interface ExpiredApi {
  url: string;
  port: number;
  cert: string;
  key: string;
  stop: () => void;
}

/** An API server whose certificate has expired, and which would answer everything. */
export async function startExpiredApi(): Promise<ExpiredApi> {
  const server = createServer(EXPIRED, (_, response) => void response.end('{}'));
  const port = await listen(server);
  return { ...EXPIRED, port, url: `https://127.0.0.1:${port}`, stop: () => void server.close() };
}
