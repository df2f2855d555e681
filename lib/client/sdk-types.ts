// What both SDK generations hand over and take back, by shape: neither is a dependency, and neither has to be installed.
// Types, not interfaces: only those are assignable to the SDKs' own, which take members of any name.

/** Tokens as the SDKs have them, with the authorization server that they came from. */
export type StoredTokens = {
  access_token: string
  token_type: string
  expires_in?: number | undefined
  scope?: string | undefined
  refresh_token?: string | undefined
  id_token?: string | undefined
  issuer?: string | undefined
}

/** A registered client as the SDKs have it, with the authorization server that knows it. */
export type StoredClient = {
  client_id: string
  client_secret?: string | undefined
  client_id_issued_at?: number | undefined
  client_secret_expires_at?: number | undefined
  token_endpoint_auth_method?: string | undefined
  redirect_uris?: string[] | undefined
  issuer?: string | undefined
}

/** What a client says of itself when it registers (RFC 7591 2, OpenID Connect Registration 2). */
export type ClientMetadata = {
  redirect_uris: string[]
  client_name: string
  application_type: string
  token_endpoint_auth_method: string
  grant_types: string[]
  response_types: string[]
  scope?: string
}

/** The parts of RFC 8414 metadata that count here. */
export type ServerMetadata = {
  issuer: string
  authorization_endpoint: string
  token_endpoint: string
  response_types_supported: string[]
  scopes_supported?: string[]
  code_challenge_methods_supported?: string[]
  token_endpoint_auth_methods_supported?: string[]
  authorization_response_iss_parameter_supported?: boolean
}

/** The parts of RFC 9728 metadata that count here. */
export type ResourceMetadata = {
  resource: string
  authorization_servers?: string[]
  scopes_supported?: string[]
}

/** What the SDKs found out about a server. */
export type DiscoveryState = {
  authorizationServerUrl: string
  authorizationServerMetadata?: ServerMetadata
  resourceMetadata?: ResourceMetadata
  resourceMetadataUrl?: string
}

/** Which authorization server a credential is for. SDK v2 says so, v1 does not. */
export type IssuerContext = { issuer: string }

/** What is to be forgotten. */
export type CredentialScope = 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'
