/* The API's objects (doc/openapi.yaml), for the types in the comments of the modules. The browser does not load this file. */

declare namespace Api {
  interface Activity {
    uuid: string;
    display_name: string;
    handle: string;
    message: string;
    replies_count: number;
    reposts_count: number;
    likes_count: number;
    reply_to_activity_uuid: string | null;
    expires_at: string | null;
    created_at: string;
    liked?: boolean | null;
    reposted?: boolean | null;
    reposted_by?: { handle: string; display_name: string } | null;
    reposted_at?: string | null;
    reposters?: { handle: string; display_name: string }[];
  }

  interface Notification extends Activity {
    kind: "reply" | "mention" | "like" | "repost" | "follow";
    activity_uuid: string | null;
    read: boolean;
  }

  interface User {
    uuid: string;
    handle: string;
    display_name: string;
  }

  interface Profile extends User {
    bio: string;
    cruds_count: number;
    followed: boolean | null;
    blocked: boolean | null;
    muted: boolean | null;
  }

  interface Conversation {
    uuid: string;
    display_name: string;
    handle: string | null;
    message: string;
    created_at: string;
    unread: number;
  }

  interface Message {
    message_group_uuid: string;
    uuid: string;
    display_name: string;
    handle: string | null;
    message: string;
    created_at: string;
    expires_at: string | null;
  }

  interface GrowthDay {
    date: string;
    users: number;
    posts: number;
    replies: number;
  }

  interface Growth {
    time_zone: string;
    users: number;
    posts: number;
    replies: number;
    days: GrowthDay[];
  }
}
