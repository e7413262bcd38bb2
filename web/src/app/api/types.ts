// What `/api/v1` answers with. `openapi.json` is the whole of it.

export type Role = "admin" | "uploader" | "viewer";
export type Visibility = "private" | "unlisted" | "public";
export type AssetState = "uploaded" | "processing" | "playable" | "ready" | "failed";

export interface Server {
  version: string;
  signup: "open" | "closed";
  mail: boolean;
  max_upload_bytes: number;
  transcoding: boolean;
}

export interface Account {
  id: string;
  username: string;
  email: string;
  role: Role;
  quota_bytes?: number | null;
  used_bytes: number;
  created_at: string;
}

export interface ManagedAccount extends Account {
  assets: number;
  disabled: boolean;
}

export interface Session {
  id: string;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  address?: string | null;
  user_agent?: string | null;
  current: boolean;
}

export interface Token {
  id: string;
  name: string;
  created_at: string;
  last_used_at?: string | null;
}

export interface Fault {
  code: string;
  message: string;
}

export interface Person {
  id: string;
  username: string;
}

export interface Asset {
  id: string;
  name: string;
  title?: string | null;
  description?: string;
  tags?: string[];
  metadata?: Record<string, unknown>;
  size_bytes: number;
  digest: string;
  content_type: string;
  visibility: Visibility;
  created_at: string;
  updated_at?: string;
  deleted_at?: string | null;
  owner?: Person | null;
  state: AssetState;
  duration_s?: number | null;
  width?: number | null;
  height?: number | null;
  error?: Fault | null;
  encrypted?: boolean;
  progress?: number | null;
  playback: { hls?: string | null; dash?: string | null; poster?: string | null; storyboard?: string | null };
  viewers_now?: number;
}

export interface AssetChange {
  name?: string;
  title?: string | null;
  description?: string;
  tags?: string[];
  metadata?: Record<string, unknown>;
  visibility?: Visibility;
}

export interface Statistics {
  views: number;
  viewers_now: number;
  watched_s: number;
  bytes: number;
  requests: number;
  hit_ratio?: number | null;
  start_p50_s?: number | null;
  start_p95_s?: number | null;
  days: { date: string; views: number }[];
}

export interface Grant {
  path: string;
  watch: string;
  expires_at: string;
}

export interface Upload {
  id: string;
  name: string;
  length_bytes?: number | null;
  offset_bytes: number;
  created_at: string;
  updated_at?: string;
  owner?: Person | null;
}

export type JobState = "waiting" | "ready" | "running" | "done" | "failed" | "dead" | "cancelled";

export interface Job {
  id: string;
  asset: string;
  revision: number;
  kind: string;
  state: JobState;
  progress: number;
  attempts: number;
  next_try_at?: string | null;
  error?: Fault | null;
  waiting_for?: string | null;
  created_at: string;
  updated_at: string;
  account?: string;
  worker?: string | null;
  log?: string | null;
}

export interface Edge {
  url: string;
  alive: boolean;
  last_heartbeat: string;
  purge_cursor: number;
  hit_ratio?: number | null;
  cached_bytes: number;
  memory_limit_bytes?: number | null;
  memory_used_bytes?: number | null;
  version: string;
}

export interface Purge {
  id: number;
  created_at: string;
  applied: boolean;
  edges: { url: string; applied: boolean; alive: boolean }[];
}

export interface Storage {
  assets: number;
  assets_bytes: number;
  made_bytes?: number | null;
  uploads_bytes: number;
  trash_bytes: number;
  free_bytes?: number | null;
  total_bytes?: number | null;
}

export interface AuditEntry {
  id: number | string;
  at: string;
  actor?: Person | null;
  action: string;
  subject: string;
  address?: string | null;
  detail?: unknown;
}

export interface Webhook {
  id: string;
  url: string;
  events?: string[] | null;
  description?: string | null;
  enabled: boolean;
  /** `gone` when the receiver said so. */
  disabled_why?: string | null;
  secret?: string;
  created_at: string;
}

export interface Delivery {
  id: string;
  webhook: string;
  event: { id: string | number; type: string };
  asset?: string | null;
  state: "pending" | "delivered" | "failed";
  attempts: number;
  next_attempt_at?: string | null;
  response_status?: number | null;
  error?: string | null;
  created_at: string;
  delivered_at?: string | null;
}

/** What webhooks and the event stream tell. */
export const EVENT_TYPES = [
  "upload.created",
  "upload.finished",
  "upload.removed",
  "asset.playable",
  "asset.ready",
  "asset.failed",
  "asset.changed",
  "asset.deleted",
  "asset.restored",
] as const;
