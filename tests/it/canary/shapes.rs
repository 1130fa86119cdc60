//! Forty shapes of secrets, each around letters that occur nowhere else.

/// Letters and digits that follow from a seed.
pub(super) struct Letters(u64);

impl Letters {
    /// The same for the same shape and place.
    pub(super) fn of(shape: usize, place: usize) -> Self {
        Self(
            0x9e37_79b9_7f4a_7c15 ^ ((shape as u64 + 1) << 32 | (place as u64 + 1)).wrapping_mul(0xd129_0d3a_b3c5_17b5),
        )
    }

    fn from(&mut self, alphabet: &[u8], length: usize) -> String {
        let letter = |_| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            char::from(alphabet[(self.0 >> 33) as usize % alphabet.len()])
        };
        (0..length).map(letter).collect()
    }

    /// Letters in both cases and digits.
    fn mixed(&mut self, length: usize) -> String {
        self.from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", length)
    }

    fn capitals(&mut self, length: usize) -> String {
        self.from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", length)
    }

    fn hex(&mut self, length: usize) -> String {
        self.from(b"0123456789abcdef", length)
    }
}

/// How many shapes there are.
pub(super) const COUNT: usize = 40;

/// One shape: the text that is planted, and the part of it that may never be seen again. The text is one
/// line without a single quote.
pub(super) fn planted(shape: usize, letters: &mut Letters) -> (String, String) {
    let (key, word) = (letters.mixed(40), letters.mixed(12));
    let (capitals, hex) = (letters.capitals(16), letters.hex(64));
    let with = |before: &str, secret: &str, after: &str| (format!("{before}{secret}{after}"), secret.to_owned());
    match shape {
        0 => with("ghp_", &key[..36], ""),
        1 => with("github_pat_", &key, " used"),
        2 => with("glpat-", &key[..20], " expired"),
        3 => with("AKIA", &capitals, ""),
        4 => with("aws_secret_access_key = ", &key, ""),
        5 => with("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJh", &key, ".c2lnbmF0dXJl"),
        6 => with("-----BEGIN RSA PRIVATE KEY-----\\n", &key, "\\n-----END RSA PRIVATE KEY-----\\n"),
        7 => with("-----BEGIN PGP PRIVATE KEY BLOCK-----\\n", &key, "\\n-----END PGP PRIVATE KEY BLOCK-----"),
        8 => with("postgres://app:", &word, "@db.example.com:5432/shop refused"),
        9 => with("redis://:", &word, "@cache:6379/0"),
        10 => with("https://", &key, "@git.example.com/acme/shop.git"),
        11 => with("app:", &word, "@tcp(db:3306)/shop?timeout=1s"),
        12 => with("jdbc:mysql://db/shop?user=app&password=", &word, ""),
        13 => with("Server=db;User Id=app;Password=", &word, ";Encrypt=true"),
        14 => with("DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=", &key, "==;"),
        15 => with("https://shop.blob.core.windows.net/c?sv=2024-01-01&sig=", &key, ""),
        16 => with("client a1B8Q~", &key[..34], ""),
        17 => with("AIza", &key[..35], ""),
        18 => with("GOCSPX-", &key[..28], ""),
        19 => with("client-key-data: ", &key, "=="),
        20 => with("xoxb-123456789012-", &key[..24], ""),
        21 => with("https://hooks.slack.com/services/T00000000/B00000000/", &key[..24], ""),
        22 => with("sk_live_", &key[..24], ""),
        23 => with("sk-proj-", &key, ""),
        24 => with("sk-ant-api03-", &key, ""),
        25 => with("npm_", &key[..36], ""),
        26 => with("pypi-AgEIcHlwaS5vcmc", &key, ""),
        27 => with("SG.abcdefghij0123456789ab.", &key, ""),
        28 => with("123456789:AA", &key[..33], ""),
        29 => with("hvs.", &key[..24], ""),
        30 => with("dop_v1_", &hex, ""),
        31 => with("Authorization: Bearer ", &key, ""),
        32 => with("authorization: Basic ", &key, "="),
        33 => with("Cookie: session=", &key, "; lang=en"),
        34 => with("X-Api-Key: ", &word, ""),
        35 => with("DB_PASSWORD=", &word, " connects"),
        36 => with(r#"{"name":"DB_PASSWORD","value":""#, &word, r#""}"#),
        37 => with("app --password ", &word, " -v"),
        38 => with("mysql -u root -p", &word, " shop"),
        _ => with(r#"{"auths":{"registry.example.com":{"auth":""#, &key, r#""}}}"#),
    }
}
