// npm's oidc-provider as the issuer of the web client's tests: node provider.mjs PORT SITE KEYS-FILE. It writes its public keys, prints
// "ready", and signs in any login as the user whose subject that is. Tokens are as cruddurd takes them: RS256, with token_use.

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.MODULES}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const [port, site, keysFile] = process.argv.slice(2);
const origins = [site, site.replace("127.0.0.1", "localhost")];
const url = `http://127.0.0.1:${port}`;
const key = { ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig", kid: "one" };

const provider = new Provider(url, {
  clients: [
    {
      client_id: "cruddur-web",
      token_endpoint_auth_method: "none",
      application_type: "native",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: origins.map((origin) => `${origin}/signed-in`),
      post_logout_redirect_uris: origins.map((origin) => `${origin}/`),
    },
  ],
  clientBasedCORS: (_, origin) => origins.includes(origin),
  jwks: { keys: [key] },
  claims: { openid: ["sub", "preferred_username"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id.replace("mock-", "") }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  features: {
    resourceIndicators: {
      enabled: true,
      defaultResource: () => site,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: "openid", audience: "cruddur-web", accessTokenFormat: "jwt", accessTokenTTL: 600, jwt: { sign: { alg: "RS256" } } }),
    },
  },
  extraTokenClaims: () => ({ token_use: "access" }),
});

const { kty, n, e, alg, use, kid } = key;
writeFileSync(keysFile, JSON.stringify({ keys: [{ kty, n, e, alg, use, kid }] }));
provider.listen(Number(port), "127.0.0.1", () => process.stdout.write("ready\n"));
