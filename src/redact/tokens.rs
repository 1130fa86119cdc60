//! Tokens that are known by their first letters.

/// Each by who gives it out.
const TOKENS: &[&str] = &[
    // AWS access keys
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    // Azure: secrets of applications
    r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,40}",
    // Google
    r"AIza[A-Za-z0-9_-]{30,}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"GOCSPX-[A-Za-z0-9_-]{20,}",
    // GitHub, GitLab, Bitbucket and Atlassian
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas|ffct)-[A-Za-z0-9_=.-]{16,}",
    r"ATATT3[A-Za-z0-9_=-]{20,}",
    r"ATBB[A-Za-z0-9_=-]{24,}",
    // Slack, Discord, Telegram
    r"xox[abceoprs]-[A-Za-z0-9-]{10,}",
    r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<s>[A-Za-z0-9/_-]{16,})",
    r"discord(?:app)?\.com/api/webhooks/(?P<s>[0-9]{6,}/[A-Za-z0-9_-]{30,})",
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
    // Stripe, Square, Shopify, Twilio, SendGrid, Mailgun
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"whsec_[A-Za-z0-9+/=]{16,}",
    r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{20,}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    r"SK[0-9a-f]{32}\b",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"key-[0-9a-f]{32}\b",
    // OpenAI, Anthropic, Hugging Face, Databricks
    r"sk-(?:ant|proj|or|svcacct|admin)-[A-Za-z0-9_-]{16,}",
    r"sk-[A-Za-z0-9_]{20,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"dapi[0-9a-f]{32}\b",
    // Registries
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_-]{30,}",
    r"rubygems_[0-9a-f]{40,}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}",
    // Infrastructure: Vault, Terraform, DigitalOcean, Pulumi, Doppler, Grafana, Sentry, New Relic, Postman, Linear, age
    r"hv[sbr]\.[A-Za-z0-9_-]{20,}",
    r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}",
    r"do[opr]_v1_[0-9a-f]{40,}",
    r"pul-[0-9a-f]{40}\b",
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{30,}",
    r"gl(?:sa|c)_[A-Za-z0-9_=+/]{24,}",
    r"sntry[su]_[A-Za-z0-9_=+/-]{24,}",
    r"NRAK-[A-Z0-9]{20,}",
    r"PMAK-[0-9a-f]{20,}-[0-9a-f]{20,}",
    r"lin_api_[A-Za-z0-9]{30,}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{20,}",
    // Hashed passwords: crypt(3), bcrypt
    r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}",
    r"\$(?:1|5|6|y|argon2id?)\$[^\s$:]{1,40}\$[^\s:]{20,}",
];

/// One regex for all tokens without a group, and one for each with.
pub(super) fn shapes() -> Vec<String> {
    let (named, whole): (Vec<&str>, Vec<&str>) = TOKENS.iter().partition(|token| token.contains("(?P<s>"));
    let bounded = |token: &str| if token.starts_with(r"\$") { token.to_owned() } else { format!(r"\b{token}") };
    let mut out = vec![whole.into_iter().map(bounded).collect::<Vec<_>>().join("|")];
    out.extend(named.into_iter().map(bounded));
    out
}
